#!/bin/sh
# Installs the browser that the tests of the pages drive, where it is missing (Debian, as root).
set -eu
if ! command -v chromedriver >/dev/null 2>&1 || ! command -v chromium >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "The tests of the pages need a browser. Install: chromium chromium-driver (Debian's names), then run this again." >&2
        exit 1
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium chromium-driver fonts-dejavu-core
fi
