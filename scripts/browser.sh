#!/usr/bin/env bash
# Installs Chromium for the browser tests where that can be done without asking: Debian, as root.
# Elsewhere the tests that need it skip and say so.
set -u
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing Chromium for the browser tests"
    { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 ||
        echo "setup: Chromium could not be installed; browser tests will skip"
fi
exit 0
