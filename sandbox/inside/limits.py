"""The limits of the sandbox, each with its reason; a program's own are in a job's `Limits`.

The first part is used where programs run, so this file is one of the texts that a container is
started with, and imports nothing.
"""

# Wall time is no measure of a program, only a bound on one that sleeps; time spent waiting for a
# busy core does not count, up to the second factor. Both are of its processor time.
WALL_FACTOR, STARVED_FACTOR = 3.0, 20.0
# A program is looked at so often. A longer pause between two looks was no time of the program: its
# container was frozen, as it is on a machine that sleeps.
LOOK_MS, FROZEN_SECONDS = 500.0, 2.0
# Not again so soon, however often the program prints.
SOON_SECONDS = 0.01
# Of what a program says of its errors, the beginning is told and the rest is read and dropped.
STDERR_BYTES, STDERR_KEPT = 16384, 1 << 16
# Within this time a program is only awaited; most end, and have printed less than a pipe holds.
QUICK_MS = 5
# Address space beyond `Limits.memory` for the stacks of threads: 8 MB each unless a program says
# otherwise, and many say 512 MB for the one that they recurse in.
STACKS_BYTES = 1536 * 2**20
# One value that a function returns, as text.
ANSWER_BYTES = 1 << 20
# What a check says of the value that it refused.
DETAIL_BYTES = 1 << 12
# For the end of a process to become known after that of the other.
END_GRACE_SECONDS = 1.0
# The largest answer that is put together before it is sent, and the pipe that it is put into.
SMALL_ANSWER_BYTES, BOX_BYTES = 1 << 12, 1 << 18

# Of a compiler: seconds of processor time, address space of each of its processes, what all of them
# may hold at once, and the program that it makes.
COMPILE_SECONDS, COMPILE_MEMORY, COMPILE_RESIDENT = 20.0, 2**30, 512 * 2**20
COMPILED_BYTES = 16 * 2**20
# Address space that a C++ program has before it asks for any: its libraries.
CPP_MAPPED = 16 * 2**20

# Of a container: processes and threads of the runner, its programs and their checks.
CONTAINER_PROCESSES = 128
# The interpreter itself, and what the kernel counts for pipes and the scratch folder.
MEMORY_BESIDE = 192 * 2**20
# Small: it counts as memory, and a program needs it for a few files of its own.
SCRATCH_OPTIONS = "rw,nosuid,nodev,noexec,size=32m,nr_inodes=1024,mode=1777"
CONTAINER_START_SECONDS = 60.0
# Answers come at the latest after the runner's own bound on a starved program.
SLACK_SECONDS = 30.0

# Of the inputs of a job so many are sent at once: they lie in the container's memory.
INPUTS_BYTES = 16 * 2**20

# Of a pool: so many containers may fail with a job before that is said of it.
CONTAINER_ATTEMPTS = 3
# How long jobs wait for an engine that starts no container, and for how long between two tries.
ENGINE_PATIENCE_SECONDS = 60.0
ENGINE_PAUSE_SECONDS = 1.0
# A container is replaced after so many jobs, whatever it looks like.
JOBS_A_CONTAINER = 5000
# Jobs handed to the threads ahead of the one whose verdict is awaited, for each worker.
JOBS_AHEAD = 8
