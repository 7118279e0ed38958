#!/usr/bin/env bash
# Measures merganser side by side with what else there is, and prints the ratios.
#
#   benches/peers.sh                 1 M records: SQLite, JSON, any order, other formats, three-way, merge and undo
#   benches/peers.sh --large         also 10 M records, for their memory (about 8 GB of disk)
#   benches/peers.sh sqlite json     only these: sqlite json formats shuffled many base writes large large-shuffled
#                                    postgres postgres-many mariadb mariadb-many (private servers, and their peers)
#
# ROUNDS (5) and BENCH_DIR (a folder under target/) can be set. Missing peers are installed on Debian and its kin.
set -euo pipefail
cd "$(dirname "$0")/.."

folder="${BENCH_DIR:-target/bench-data}"
rounds="${ROUNDS:-5}"
what="sqlite,json,formats,shuffled,many,base,writes,postgres,postgres-many,mariadb,mariadb-many"
if [ "${1:-}" = --large ]; then
    what="$what,large,large-shuffled"
elif [ $# -gt 0 ]; then
    what="$(IFS=,; echo "$*")"
fi

install() {
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq && $sudo apt-get install -y -qq "$1" >/dev/null
}
command -v python3 >/dev/null || install python3
# Newer Debian has sqldiff in a package of its own.
command -v sqldiff >/dev/null || install sqlite3-tools || install sqlite3

case ",$what," in *,formats*) command -v age >/dev/null || install age ;; esac
case ",$what," in *,postgres* | *,mariadb*) sh .ci/servers.sh ;; esac
cargo build --release --locked --bin merganser --example alone
programs="${CARGO_TARGET_DIR:-target}/release"

data() { # name records changed-per-100,000 order
    if [ ! -e "$folder/$1/done" ]; then
        echo "generating $1: $2 records" >&2
        "$programs/examples/alone" generate "$folder/$1" "$2" "$3" "$4"
        touch "$folder/$1/done"
    fi
}
for one in ${what//,/ }; do
    case "$one" in
        formats) data small 1000000 1000 similar; data tenth 100000 1000 similar ;;
        sqlite | json | base) data small 1000000 1000 similar ;;
        shuffled) data shuffled 1000000 1000 shuffled ;;
        many | postgres-many | mariadb-many) data many 1000000 30000 similar ;;
        writes | postgres | mariadb) data writes 1000000 1846 similar ;;
        large) data large 10000000 1000 similar ;;
        large-shuffled) data large-shuffled 10000000 1000 shuffled ;;
        *) echo "there is no measurement $one" >&2; exit 2 ;;
    esac
done
python3 benches/measure.py "$programs/merganser" "$programs/examples/alone" "$folder" "$rounds" "$what"
