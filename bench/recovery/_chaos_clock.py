"""A wall clock of a bench's own, that can be set: what processes under it read of the time.

A library that is preloaded answers CLOCK_REALTIME with the machine's time and an offset out of a
file, which every process of the bench has in its memory; so one write sets the clock of all of them
at once, as `date -s` does. Not simulated: the times of files, which are the kernel's, and programs
that do not ask libc (the Docker engine, PostgreSQL, which are not started under it).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_VARIABLE = "RESTEM_BENCH_CLOCK"
_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none, *offset = &none; /* seconds */

__attribute__((constructor)) static void look(void) {
    const char *path = getenv("RESTEM_BENCH_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) offset = found;
    close(file);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (where) *where = found.tv_sec;
    return found.tv_sec;
}
"""


class WallClock:
    """The clock of the processes that are started with its variables."""

    def __init__(self, folder: Path) -> None:
        """Build the library in a folder of its own.

        Raises:
            OSError: there is no C compiler, or it fails.
        """
        compiler = shutil.which("cc")
        if compiler is None:
            raise OSError("no C compiler (cc)")
        folder.mkdir(parents=True)
        self._file, self._library = folder / "offset", folder / "clock.so"
        self._offset = 0
        self._write()
        source = folder / "clock.c"
        source.write_text(_SOURCE, encoding="utf-8")
        built = [compiler, "-O1", "-shared", "-fPIC", "-o", str(self._library), str(source)]
        if subprocess.run(built, capture_output=True, check=False).returncode:
            raise OSError(f"{compiler} does not build {source}")

    @property
    def variables(self) -> dict[str, str]:
        """Environment of whoever is to read this clock, with all that it starts."""
        return {"LD_PRELOAD": str(self._library), _VARIABLE: str(self._file)}

    def move(self, seconds: int) -> None:
        """Set it so much further ahead, or back."""
        self._offset += seconds
        self._write()

    def _write(self) -> None:
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            file.write(struct.pack("=q", self._offset))  # in place: it is mapped
