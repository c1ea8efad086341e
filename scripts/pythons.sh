#!/bin/sh
# The Pythons that restem runs on, a line each: the version, and where it is on this machine if it is
# here and can make environments (Debian: python3-venv). With a path, only what that one is.
#
#     scripts/pythons.sh [PYTHON]
for version in 3.11 3.12 3.13 3.14; do
    here=
    for python in ${1:-"python$version" python3 "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python}; do
        here=$("$python" -c "import sys, ensurepip, venv
if '%d.%d' % sys.version_info[:2] == '$version': print(sys.executable)" 2> /dev/null)
        [ -z "$here" ] || break
    done
    echo "$version $here"
done
