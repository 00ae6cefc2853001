-- How destroying what has expired stands; one row. `unfinished` is set before the first row is deleted and cleared once
-- the WAL is empty and the keys are gone, so that a crash in between is followed by another run.
CREATE TABLE retention (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    unfinished   INTEGER NOT NULL CHECK (unfinished IN (0, 1)),
    last_us      INTEGER,
    last_results INTEGER NOT NULL,
    last_months  INTEGER NOT NULL
) STRICT;

INSERT INTO retention (id, unfinished, last_us, last_results, last_months) VALUES (1, 0, NULL, 0, 0);
