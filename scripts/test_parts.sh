#!/usr/bin/env bash
# Brings what the tests use beside .venv: Chromium, strace, systemd-analyze, a Docker engine, PostgreSQL,
# Redis and docker-compose for docker-compose.yml, an environment with vLLM's CPU build, and the trackers that
# .venv does not have: Trackio would have Prefect's server run on another event loop; axe-core; and
# zensical, which builds the site of the documents. What cannot be brought is said here with the installer's own words; the tests that need it then skip and say so
# again, or with CI=true this script fails. Prints, last, the Python that has vLLM (or nothing).
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Of the wheel of axe-playwright-python 0.1.8, which has axe-core 4.12.1.
axe_hash=fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8
lacking=

say() { echo "setup: $*" >&2; }
# What is missing, why, and the last lines of what was tried.
miss() {
    lacking="$lacking${lacking:+, }$1"
    say "no $1: $2; its tests $([ "${CI:-}" = true ] && echo fail || echo skip)"
    tail -n 5 "$log" | sed 's/^/setup:   /' >&2
    : >"$log"
}
# Another installer may hold the lock: unattended upgrades do on a machine that has just started.
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1; }
install() { apt update; apt install -y "$@"; }
debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# part NAME TEST PACKAGES...: install the packages unless the test already holds.
part() {
    local name=$1 there=$2
    shift 2
    $there && return
    if ! debian_root; then
        miss "$name" "installing $* needs Debian and root"
        return
    fi
    say "installing $name"
    install "$@"
    $there || miss "$name" "apt-get install $* did not bring it"
}

has_chromium() { command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
has_compose() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' && command -v redis-server && command -v docker-compose
} >/dev/null
has_strace() { command -v strace; } >/dev/null
has_systemd() { command -v systemd-analyze; } >/dev/null
has_docker() { command -v dockerd && command -v debootstrap; } >/dev/null
answers() { [ -n "${DOCKER_HOST:-}" ] || { [ -S /var/run/docker.sock ] && docker info >/dev/null 2>&1; }; }

part Chromium has_chromium chromium-headless-shell
part strace has_strace strace
part "systemd-analyze" has_systemd systemd
part "PostgreSQL, Redis and docker-compose" has_compose postgresql redis-server docker-compose

if ! answers; then
    part "Docker engine" has_docker docker.io debootstrap
    if has_docker && debian_root && ! answers; then
        say "starting a Docker engine"
        setsid nohup dockerd >/var/log/restem-dockerd.log 2>&1 </dev/null &
        for _ in $(seq 60); do answers && break; sleep 1; done
        answers || { cp /var/log/restem-dockerd.log "$log"; miss "Docker engine" "dockerd did not start"; }
    fi
fi

if [ -z "${RESTEM_VLLM_PYTHON:-}" ]; then
    RESTEM_VLLM_PYTHON=$PWD/.venv/home/engines/vllm/bin/python
    if ! RESTEM_HOME=$PWD/.venv/home .venv/bin/restem engine install vllm --cpu 2>&1 | tee "$log" >&2; then
        RESTEM_VLLM_PYTHON=
        miss vLLM "restem engine install vllm --cpu failed"
    fi
fi

# What .venv has of what they need is left out: a second copy would hide it.
trackers=.venv/home/trackers
if [ ! -d $trackers ]; then
    say "installing MLflow and Trackio beside .venv"
    mkdir -p .venv/home
    rm -rf $trackers.draft
    sed '/^-r /d' locks/trackers.txt >$trackers.txt
    if ! .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps \
        --target $trackers.draft -r $trackers.txt >>"$log" 2>&1 ||
        ! mv $trackers.draft $trackers; then
        miss "MLflow and Trackio" "pip did not bring them"
    fi
fi

# The wheel carries axe-core, with which the browser tests look for faults of accessibility.
axe=.venv/home/axe
if [ ! -d $axe ]; then
    say "installing axe-core beside .venv"
    mkdir -p .venv/home
    rm -rf $axe.draft
    echo "axe-playwright-python==0.1.8 --hash=sha256:$axe_hash" >$axe.txt
    if ! .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps \
        --target $axe.draft -r $axe.txt >>"$log" 2>&1 ||
        ! mv $axe.draft $axe; then
        miss axe-core "pip did not bring it"
    fi
fi

make -s build/docs/tool/.stamp >>"$log" 2>&1 || miss "zensical, which builds the site" "pip did not bring it"

if [ "${CI:-}" = true ] && [ -n "$lacking" ]; then
    say "with CI=true nothing may be missing: $lacking"
    exit 1
fi
echo "$RESTEM_VLLM_PYTHON"
