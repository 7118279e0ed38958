#!/bin/sh
# Makes a picture of every page and state, in light and dark and 320 pixels wide, as the browser tests see them:
# tests/screenshots.sh [FOLDER]. README shows the tops of 06-result-light.png and 08-conflict-light.png (docs/images).
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/screenshots}
mkdir -p "$folder"
sh .ci/browser.sh
MERGANSER_SHOTS=$(cd "$folder" && pwd) cargo test --locked --test it -- browser::shots
echo "The pictures are in $folder."
