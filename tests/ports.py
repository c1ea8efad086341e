"""Ports for servers of tests, which nobody else on this machine takes in the meantime."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

LOWEST = 10_000
_GIVEN_BY_KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now.

    They lie below those that the kernel gives to whoever asks for any: another test's connection
    or server would get one of these before its server has started.
    """
    highest = int(_GIVEN_BY_KERNEL.read_text().split()[0])
    found: list[int] = []
    for port in random.SystemRandom().sample(range(LOWEST, highest), highest - LOWEST):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports from {LOWEST} to {highest}")
