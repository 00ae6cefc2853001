"""FastAPI, SQLAlchemy Core and orjson as one writes them."""

import os

import orjson
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import create_engine, event, inspect, text

engine = create_engine(f"sqlite:///{os.environ['DATABASE']}")


@event.listens_for(engine, "connect")
def settings(connection, _record):
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


columns = [column["name"] for column in inspect(engine).get_columns("results") if column["name"] != "body"]
NEWEST_FIRST = f"SELECT {', '.join(map(str, columns))} FROM results ORDER BY confirmed_at DESC, id DESC"
app = FastAPI()


@app.get("/results")
def results(limit: int = 100):
    with engine.connect() as connection:
        rows = connection.execute(text(f"{NEWEST_FIRST} LIMIT :limit"), {"limit": limit}).mappings().all()
    return Response(orjson.dumps([dict(row) for row in rows]), media_type="application/json")


@app.get("/export")
def export():
    def pieces():
        yield b"["
        first = True
        with engine.connect() as connection:
            for some in connection.execution_options(yield_per=500).execute(text(NEWEST_FIRST)).mappings().partitions():
                piece = b",".join(orjson.dumps(dict(row)) for row in some)
                yield piece if first else b"," + piece
                first = False
        yield b"]"

    return StreamingResponse(pieces(), media_type="application/json")
