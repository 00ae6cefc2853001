-- How far the collection of results from the central system is; one row, names nobody. Instants in microseconds since
-- 1970. `failure` is a stable code.
CREATE TABLE collection (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    last_run_us      INTEGER,
    last_complete_us INTEGER,
    last_whole_us    INTEGER,
    failure          TEXT,
    failures         INTEGER NOT NULL CHECK (failures >= 0),
    added            INTEGER NOT NULL CHECK (added >= 0)
) STRICT;

INSERT INTO collection (id, failures, added) VALUES (1, 0, 0);
