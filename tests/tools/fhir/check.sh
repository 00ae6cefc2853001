#!/usr/bin/env bash
# Judges the FHIR documents of the tests by two validators that are not ours and by the rules of JP Core that we keep.
# The document is the snapshot of everyone's results, which the tests hold equal to what the daemon writes.
set -euo pipefail
cd "$(dirname "$0")/../../.."
HERE=$PWD/tests/tools/fhir
WORK=$PWD/target/fhir
mkdir -p "$WORK"

if ! cmp -s "$HERE/requirements.txt" "$WORK/venv/requirements.txt"; then
  rm -rf "$WORK/venv"
  python3 -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" install --quiet --no-deps -r "$HERE/requirements.txt"
  cp "$HERE/requirements.txt" "$WORK/venv/"
fi
if ! cmp -s "$HERE/package-lock.json" "$WORK/node_modules/package-lock.json"; then
  cp "$HERE"/package.json "$HERE"/package-lock.json "$HERE"/judge.cjs "$WORK/"
  (cd "$WORK" && npm ci --silent --no-audit --no-fund --ignore-scripts)
  cp "$HERE/package-lock.json" "$WORK/node_modules/"
fi
cp "$HERE/judge.cjs" "$WORK/"

judge() {
  local rc=0
  "$WORK/venv/bin/python" -B "$HERE/judge.py" "$1" || rc=1
  node "$WORK/judge.cjs" "$1" || rc=1
  return $rc
}

for snapshot in tests/it/formats/snapshots/*-fhir.snap; do
  # Without insta's heading, which ends with the second line of three dashes.
  awk 'marks >= 2 { print } /^---$/ { marks += 1 }' "$snapshot" >"$WORK/$(basename "$snapshot" .snap).json"
  judge "$WORK/$(basename "$snapshot" .snap).json"
done

# The judges judge: each of these errors is found.
for error in \
  '.entry[2].resource.status = "valid"' \
  '.entry[2].resource.beneficiary = null' \
  '.entry[2].resource.period.start = "2026-02-30"' \
  '.entry[2].resource.payor = []' \
  '.entry[0].resource.gender = "m"' \
  '.entry[0].resource.birthday = "1980-02-17"' \
  '.entry[0].resource.identifier = []' \
  '.entry[1].fullUrl = .entry[0].fullUrl' \
  '.type = "list"'; do
  jq "$error" "$WORK/it__formats__documents__everyone-fhir.json" >"$WORK/planted.json"
  if judge "$WORK/planted.json" >"$WORK/planted.log" 2>&1; then
    echo "not found: $error"
    exit 1
  fi
done
echo "every planted error was found"
