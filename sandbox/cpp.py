"""What the end of a C++ program, and what its compiler says, mean."""

from __future__ import annotations

import os

from sandbox.inside.frames import NO_MEMORY

# What the C++ library says of an allocation that was refused and not caught.
_REFUSED = b"std::bad_alloc"


def cpp_status(found: str, status: int, errors: bytes) -> str:
    """The status of a test, from what it would be of a Python program.

    Args:
        found: That.
        status: Of wait(2).
        errors: What the program wrote of its errors.
    """
    if found == "runtime_error" and os.WIFSIGNALED(status) and _REFUSED in errors:
        return "memory_limit"
    if found == "memory_limit" and os.WIFEXITED(status) and os.WEXITSTATUS(status) == NO_MEMORY:
        return "runtime_error"  # an exit code that means something in Python's processes alone
    return found


def cpp_errors(found: str, errors: bytes) -> bytes:
    """The errors to be told: of a compiler its first one, which the others follow from."""
    if found != "compile_error":
        return errors
    lines = [line for line in errors.splitlines() if line.strip()]
    return next((line for line in lines if b"error:" in line), b"\n".join(lines[:1]))
