#!/bin/sh
# The fast tests on every Python that restem runs on, each in an environment of its own in build/check.
# One that is not on this machine, or for which not everything can be installed (the index at hand has
# no torch for it), is said in a line. That is a failure where CI=true, and where none could be tested.
cd "$(dirname "$0")/.." && mkdir -p build/check || exit
passed=
failed=
lacking=
while read -r version python; do
    log=build/check/$version.log
    if [ -z "$python" ]; then
        lacking="$lacking $version"
        echo "Python $version: not tested, it is not on this machine"
        continue
    fi
    set -- VENV="build/check/$version" PYTHON="$python"
    if ! "${MAKE:-make}" --no-print-directory "$@" setup > "$log" 2>&1 < /dev/null; then
        lacking="$lacking $version"
        why=$(grep -m 1 -i error "$log" || tail -n 1 "$log")
        echo "Python $version: not tested, it cannot be set up: $why (log: $log)"
        continue
    fi
    echo "Python $version: $python"
    "${MAKE:-make}" --no-print-directory "$@" _fast < /dev/null && passed=yes || failed="$failed $version"
done << EOF
$(scripts/pythons.sh)
EOF
[ -z "$failed" ] || echo "failed on:$failed"
[ -n "$passed" ] && [ -z "$failed" ] && { [ "${CI:-}" != true ] || [ -z "$lacking" ]; }
