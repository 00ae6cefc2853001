-- The queue of inquiry numbers on their way to the central system. Identifiers and number are inside `payload`, sealed with
-- the key of the month of intake, and erased when the job has ended. The columns in clear name nobody: `results` is the
-- packed list of result numbers (8 bytes each, big-endian), `receipt` the central system's receipt number of a bulk.
-- AUTOINCREMENT: a number is never reused, not even after a purge.
CREATE TABLE inquiry_bulks (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    items         INTEGER NOT NULL CHECK (items > 0),
    taken_at_us   INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE inquiry_jobs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    bulk_id       INTEGER REFERENCES inquiry_bulks (id),
    position      INTEGER,
    actor         TEXT    NOT NULL,
    taken_at_us   INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    month         INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('queued', 'registered', 'failed')),
    failure       TEXT,
    upstream_code TEXT,
    receipt       TEXT,
    results       BLOB    NOT NULL,
    payload       BLOB,
    CHECK ((bulk_id IS NULL) = (position IS NULL)),
    CHECK ((state = 'queued') = (payload IS NOT NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX inquiry_jobs_bulk ON inquiry_jobs (bulk_id, position) WHERE bulk_id IS NOT NULL;
CREATE INDEX inquiry_jobs_queued ON inquiry_jobs (id) WHERE state = 'queued';
