#!/usr/bin/env bash
# run.sh NAME PORT DATABASE DIRECTORY: becomes one of the peers, serving the table `results` of the database.
set -euo pipefail
name=$1 port=$2 database=$3 directory=$4
here=$(cd "$(dirname "$0")" && pwd)
peers=$(cd "$here/../../../target/peers" && pwd)
case "$name" in
  express)
    cp "$here/express.mjs" "$peers/express/server.mjs"
    exec env NODE_ENV=production node "$peers/express/server.mjs" "$port" "$database" ;;
  fastapi)
    cd "$here"
    exec env DATABASE="$database" "$peers/python/bin/python" -m uvicorn fastapi_server:app --port "$port" --log-level error --no-access-log ;;
  pocketbase)
    "$peers/python/bin/python" "$here/pocketbase_fill.py" "$database" "$directory/pocketbase"
    exec "$peers/python/bin/pocketbase" serve --http "127.0.0.1:$port" --dir "$directory/pocketbase" ;;
  *) echo "no peer $name" >&2; exit 2 ;;
esac
