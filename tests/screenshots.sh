#!/bin/sh
# Makes a picture of every page, in light and dark, as the browser tests see them: tests/screenshots.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/screenshots}
mkdir -p "$folder"
sh .ci/browser.sh
MERGANSER_SHOTS=$(cd "$folder" && pwd) cargo test --locked --test it -- browser::shots
echo "The pictures are in $folder."
