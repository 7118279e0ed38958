#!/bin/sh
# Runs all tests. Installs PostgreSQL and MariaDB first where they are missing (Debian packages, as root); the tests start
# private servers of their own on loopback and stop them. Arguments go to `cargo test`, those after -- to the tests.
#
# The tests named real_data_… read data made by others that is too large for this repository: from the folder that
# MERGANSER_TEST_DATA names, else ../shared/data. Where it is not there they are left out by name ("filtered out"), and
# the last line says so; with MERGANSER_NEEDS_DATA=1 (the gate, .ci/run) that is a failure.
# Those named needs_mount_… give a server a small disk of its own and are left out alike where nothing can be mounted.
set -eu
cd "$(dirname "$0")/.."
data=${MERGANSER_TEST_DATA:-../shared/data}
sh .ci/servers.sh
sh .ci/browser.sh
sh .ci/shells.sh
left=""
if ! { [ -d "$data/chinook" ] && [ -d "$data/exports" ] && [ -d "$data/netbox" ]; }; then
    if [ "${MERGANSER_NEEDS_DATA:-0}" = 1 ]; then
        echo "The real data is not in $data. Name its folder in MERGANSER_TEST_DATA." >&2
        exit 1
    fi
    left="--skip real_data_"
fi
small=$(mktemp -d)
if mount -t tmpfs -o size=1m none "$small" 2>/dev/null; then umount "$small"; else left="$left --skip needs_mount_"; fi
rmdir "$small"
case " $* " in
*" -- "*) ;;
*) set -- "$@" -- ;;
esac
# shellcheck disable=SC2086 # a list of arguments
cargo test --locked "$@" $left
if [ -n "$left" ]; then
    echo "LEFT OUT here ($left): real data is looked for in $data; small disks need the right to mount (see CONTRIBUTING.md)."
fi
