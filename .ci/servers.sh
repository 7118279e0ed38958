#!/bin/sh
# Installs the database servers, and the pooler, that the tests start for themselves, where they are missing (Debian, as root).
# The packages' own servers are stopped: the tests use private ones on loopback ports.
set -eu
missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v mariadb-install-db >/dev/null 2>&1 || missing="$missing mariadb-server"
command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "The tests need real database servers. Install:$missing (Debian's names), then run this again." >&2
        exit 1
    fi
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d # no service starts while installing
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    apt-get update -q
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi
