"""What a server on this machine cannot do without, looked at before one is started.

Without its loopback address, or with few open files, a server would be waited for in vain.
"""

from __future__ import annotations

import resource
import socket

from tasks.errors import UserError

# A run with its server, engine and pools has about 150 open at once; a large one many more.
_LEAST_FILES = 256
_MANY_FILES = 4096
_SECONDS = 5.0
HERE = "127.0.0.1"


def check_machine() -> None:
    """See that a server can be started here and reached.

    Raises:
        UserError: what is missing, and how it is put right.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else _MANY_FILES
    if soft != resource.RLIM_INFINITY and soft < min(most, _MANY_FILES):
        soft = min(most, _MANY_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        raise UserError(
            f"a process may have {soft} open files (ulimit -n); expected {_LEAST_FILES} or more"
        )
    try:
        with socket.socket() as listening, socket.socket() as asking:
            listening.bind((HERE, 0))
            listening.listen(1)
            asking.settimeout(_SECONDS)
            asking.connect(listening.getsockname())
    except OSError as error:
        raise UserError(
            f"{HERE} does not answer on this machine ({error.strerror or error}): Prefect's server "
            "is there; bring the loopback interface up (ip link set lo up)"
        ) from None
