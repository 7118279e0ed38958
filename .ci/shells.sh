#!/bin/sh
# Installs the shells and `man` that completions and manual pages are tried with, where they are missing (Debian, as root).
set -eu
missing=""
for program in zsh fish man; do command -v "$program" >/dev/null 2>&1 || missing="$missing $program"; done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests of completions and manual pages need$missing. Install: zsh fish man-db groff-base (Debian's names), then run this again." >&2
    exit 1
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends zsh fish man-db groff-base
