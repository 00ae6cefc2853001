-- OQS folders: who let their readers do without MFA, where each folder stands, which requests were seen, and which files
-- are to leave. Names of files name nobody: numbers of results, dates and counters.
CREATE TABLE folder_acceptance (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    accepted_by    TEXT    NOT NULL,
    accepted_at_us INTEGER NOT NULL
) STRICT;

-- The folders that were configured when that was accepted; one added later is not meant.
CREATE TABLE folder_accepted_roots (
    root TEXT PRIMARY KEY
) STRICT;

-- Up to which change of the results the intents of a folder reach, and the last result from before it was followed: whatever
-- becomes of that one and those before it, they are not new there.
CREATE TABLE folder_followed (
    folder TEXT    PRIMARY KEY,
    change INTEGER NOT NULL,
    known  INTEGER NOT NULL
) STRICT;

-- Every request that was ever answered or is to be: kept for ever, so that a name never gets a second answer.
CREATE TABLE folder_requests (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    folder TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    UNIQUE (folder, name)
) STRICT;

-- Files on their way out, and what is known of those that are out. `waiting`: a request whose number is on its way; `due`:
-- the file's bytes are settled; `published`: it was seen in its folder. `payload` holds what a waiting request needs, or the
-- file's bytes, sealed with the key of the month; `numbers` the inquiry numbers of a bulk, sealed alike, for the question
-- about its outcome. `request_hash` is a keyed hash (key of the month) of the request's bytes.
CREATE TABLE folder_files (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    folder        TEXT    NOT NULL,
    request_id    INTEGER UNIQUE REFERENCES folder_requests (id),
    request_hash  BLOB,
    result_id     INTEGER,
    name          TEXT    NOT NULL,
    job_id        INTEGER,
    bulk_id       INTEGER,
    month         INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'due', 'published')),
    payload       BLOB,
    numbers       BLOB,
    UNIQUE (folder, result_id),
    CHECK ((request_id IS NULL) <> (result_id IS NULL)),
    CHECK ((request_id IS NULL) = (request_hash IS NULL)),
    CHECK ((state = 'waiting') <= (job_id IS NOT NULL)),
    CHECK ((state = 'published') = (payload IS NULL)),
    CHECK ((bulk_id IS NULL) = (numbers IS NULL))
) STRICT;

CREATE INDEX folder_files_open ON folder_files (folder, id) WHERE state <> 'published';
CREATE INDEX folder_files_bulk ON folder_files (bulk_id) WHERE bulk_id IS NOT NULL;
CREATE INDEX folder_files_ended ON folder_files (expires_at_us);

CREATE VIEW live_folder_files AS
SELECT *
FROM folder_files
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);
