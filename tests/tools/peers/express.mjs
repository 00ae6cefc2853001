// Express and better-sqlite3 as one writes them: prepared statements, rows to JSON.
import Database from "better-sqlite3";
import express from "express";

const [port, path] = process.argv.slice(2);
const database = new Database(path);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
const names = database.pragma("table_info(results)").map((column) => column.name);
const columns = names.filter((name) => name !== "body").join(", ");
const page = database.prepare(`SELECT ${columns} FROM results ORDER BY confirmed_at DESC, id DESC LIMIT ?`);
const all = database.prepare(`SELECT ${columns} FROM results ORDER BY confirmed_at DESC, id DESC`);

const app = express();
app.get("/results", (request, response) => response.json(page.all(Number(request.query.limit))));
app.get("/export", async (_request, response) => {
  response.type("application/json");
  let piece = "[";
  let first = true;
  for (const row of all.iterate()) {
    piece += (first ? "" : ",") + JSON.stringify(row);
    first = false;
    if (piece.length > 65536) {
      if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
      piece = "";
    }
  }
  response.end(piece + "]");
});
app.listen(Number(port), "127.0.0.1");
