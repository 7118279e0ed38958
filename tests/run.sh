#!/bin/sh
# Runs all tests. Installs PostgreSQL and MariaDB first where they are missing (Debian packages, as root); the tests start
# private servers of their own on loopback and stop them. Arguments go to `cargo test`, those after -- to the tests.
#
# The tests named real_data_… read data made by others that is too large for this repository: from the folder that
# MERGANSER_TEST_DATA names, else ../shared/data. Where it is not there they are left out by name ("filtered out"), and
# the last line says so; with MERGANSER_NEEDS_DATA=1 (the gate, .ci/run) that is a failure.
set -eu
cd "$(dirname "$0")/.."
data=${MERGANSER_TEST_DATA:-../shared/data}
sh .ci/servers.sh
if [ -d "$data/chinook" ] && [ -d "$data/exports" ] && [ -d "$data/netbox" ]; then
    exec cargo test --locked "$@"
fi
if [ "${MERGANSER_NEEDS_DATA:-0}" = 1 ]; then
    echo "The real data is not in $data. Name its folder in MERGANSER_TEST_DATA." >&2
    exit 1
fi
case " $* " in
*" -- "*) cargo test --locked "$@" --skip real_data_ ;;
*) cargo test --locked "$@" -- --skip real_data_ ;;
esac
echo "LEFT OUT: the tests named real_data_…: the real data is not in $data (see CONTRIBUTING.md)."
