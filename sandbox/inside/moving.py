"""Moving bytes past the memory of the process that moves them, and files in memory."""

from __future__ import annotations

import errno
import fcntl
import os
import sys

CHUNK = 1 << 20
FIONREAD = 0x541B  # of termios, a module that would only make forks larger
NULL = 3  # the descriptor of /dev/null in process 1


class Stream:
    """What a program writes: in its pipe, and in a file in memory where it is much."""

    def __init__(self, fd: int) -> None:
        self.fd, self.spool, self.size = fd, -1, 0

    def drain(self, cap: int) -> bool:
        """Empty the pipe, beyond the cap into nothing; False once it has ended."""
        waiting = unread(self.fd)
        if not waiting:
            return False  # woken although there is nothing to read: its other ends are closed
        if self.spool < 0:
            self.spool = os.memfd_create("spool")
        move(self.fd, self.spool if self.size <= cap else NULL, waiting)
        self.size += waiting
        return True

    def total(self) -> int:
        """Bytes written, once nobody writes any more."""
        return self.size + unread(self.fd)

    def send(self, target: int, skip: int, count: int) -> None:
        """Move some of the bytes on."""
        source = self.fd
        if self.spool >= 0:
            source = self.spool
            os.lseek(source, skip, os.SEEK_SET)
        else:
            move(source, NULL, skip)
        move(source, target, count)

    def kept(self) -> int:
        """Bytes that can be sent, once nobody writes any more."""
        if self.spool < 0:
            return unread(self.fd)
        move(self.fd, self.spool, unread(self.fd))
        return os.fstat(self.spool).st_size

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.fd)
        if self.spool >= 0:
            os.close(self.spool)


def move(source: int, target: int, count: int) -> None:
    """Move bytes from a descriptor to another, one of them a pipe, past our own memory."""
    while count:
        try:
            moved = os.splice(source, target, min(count, CHUNK))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return copy(source, target, count)
        if not moved:
            os._exit(4)
        count -= moved


def copy(source: int, target: int, count: int) -> None:
    """Do as `move` where the kernel does not, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            while count:
                part = os.read(source, min(count, CHUNK))
                if not part:
                    break
                count -= len(part)
                write_all(target, part)
        finally:
            os._exit(4 if count else 0)
    if os.waitpid(pid, 0)[1]:
        os._exit(4)


def unread(fd: int) -> int:
    """Bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, FIONREAD, bytes(4)), sys.byteorder)


def memory_file(data: bytes) -> int:
    """A descriptor to read these bytes from, as from a redirected file."""
    fd = os.memfd_create("stdin")
    write_all(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def write_all(fd: int, data: bytes) -> None:
    """Write all of these bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
