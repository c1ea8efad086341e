"""The port at which the processes of a fine-tune find each other."""

from __future__ import annotations

import errno
import socket

import pytest

from tasks.finetune.launch import _kept_port

# torch listens on both at once where a machine has both.
FAMILIES = (socket.AF_INET, *([socket.AF_INET6] if socket.has_dualstack_ipv6() else ()))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_kept_for_the_group(family: socket.AddressFamily) -> None:
    with _kept_port() as port:
        with socket.socket(family) as stranger, pytest.raises(OSError) as refused:
            stranger.bind(("", port))
        assert refused.value.errno == errno.EADDRINUSE
        with socket.socket(family) as group:
            group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            group.bind(("", port))
            group.listen()
            with socket.create_connection(("127.0.0.1", port)), group.accept()[0]:
                pass
