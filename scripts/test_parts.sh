#!/usr/bin/env bash
# Brings what the tests use beside .venv: Chromium, and an environment with vLLM's CPU build. What
# cannot be brought is said here, and the tests that need it skip and say so again.
# Prints, last, the Python that has vLLM (or nothing).
set -u
say() { echo "setup: $*" >&2; }

if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing Chromium for the browser tests"
        { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 ||
            say "Chromium could not be installed; browser tests will skip"
    else
        say "no chromium on the PATH; browser tests will skip"
    fi
fi

if [ -z "${RESTEM_VLLM_PYTHON:-}" ]; then
    RESTEM_VLLM_PYTHON=$PWD/.venv/home/engines/vllm/bin/python
    if ! RESTEM_HOME=$PWD/.venv/home .venv/bin/restem engine install vllm --cpu >&2; then
        say "vLLM's CPU build could not be installed; its tests will skip"
        RESTEM_VLLM_PYTHON=
    fi
fi
echo "$RESTEM_VLLM_PYTHON"
