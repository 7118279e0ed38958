#!/bin/sh
# Runs all tests. Installs PostgreSQL and MariaDB first where they are missing (Debian packages, as root); the tests start
# private servers of their own on loopback and stop them. Arguments go to `cargo test`.
set -eu
cd "$(dirname "$0")/.."
sh .ci/servers.sh
exec cargo test --locked "$@"
