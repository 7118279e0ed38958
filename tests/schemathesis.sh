#!/usr/bin/env bash
# Asks a real service everything its OpenAPI document allows, and more, and checks every answer against the document.
# Needs Python 3; schemathesis comes from PyPI into a folder of its own. Usage: tests/schemathesis.sh [EXAMPLES]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet
program=$PWD/target/debug/merganser
folder=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service"; rm -rf "$folder"' EXIT
if [ -z "${SCHEMATHESIS:-}" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet schemathesis
    SCHEMATHESIS=$folder/venv/bin/schemathesis
fi
cd "$folder"
export MERGANSER_DATA_DIR=$folder/state
python3 -c 'import sqlite3; sqlite3.connect("app.db").execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")'
printf 'a password for tests' > pw.txt
"$program" user add tester --role admin --password-file pw.txt > /dev/null
token=$("$program" token create schemathesis --user tester --scopes read,backup,analyze,resolve,merge,admin | grep '^mgs_')
"$program" serve --listen 127.0.0.1:0 --to sqlite:app.db > out.txt 2> log.txt &
service=$!
for _ in $(seq 100); do grep -q '^Listening' out.txt && break; sleep 0.1; done
place=$(sed -n 's/^Listening on //p' out.txt)
"$program" openapi > openapi.json
# Routes that remove the tester themselves are left to tests/it/server.
"$SCHEMATHESIS" run openapi.json --url "$place" --header "Authorization: Bearer $token" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --exclude-path-regex '/(users|tokens)/' --max-examples "${1:-20}" --phases fuzzing --continue-on-failure
