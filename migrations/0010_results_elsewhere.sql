-- Results of other terminals and phones of the facility: they have no check of ours. SQLite cannot take a NOT NULL away,
-- so the table is made anew; its numbers go on where they were, because a number is never reused.
-- `upstream_key` is a keyed hash (key of the month) of the central system's own id of the result: equal ids meet here,
-- and nobody who has the file alone can look one up at the central system. `numbered_at_us` is when the inquiry number
-- was last set here: older news from the central system does not undo it.
DROP VIEW live_results;

CREATE TABLE results_elsewhere (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    source         TEXT    NOT NULL CHECK (source IN ('own', 'elsewhere')),
    check_id       TEXT    UNIQUE,
    checked_at_us  INTEGER NOT NULL,
    expires_at_us  INTEGER NOT NULL,
    month          INTEGER NOT NULL,
    terminal       TEXT    NOT NULL,
    validity       TEXT    NOT NULL,
    searchable     INTEGER NOT NULL CHECK (searchable IN (0, 1)),
    origin         TEXT    NOT NULL CHECK (origin IN ('production', 'sandbox')),
    version        INTEGER NOT NULL CHECK (version > 0),
    numbered_at_us INTEGER,
    person_index   BLOB,
    inquiry_index  BLOB,
    upstream_key   BLOB,
    payload        BLOB    NOT NULL,
    CHECK ((source = 'own') = (check_id IS NOT NULL))
) STRICT;

INSERT INTO results_elsewhere (id, source, check_id, checked_at_us, expires_at_us, month, terminal, validity, searchable,
                               origin, version, person_index, inquiry_index, payload)
SELECT id, 'own', check_id, checked_at_us, expires_at_us, month, terminal, validity, searchable,
       origin, version, person_index, inquiry_index, payload
FROM results;

DELETE FROM sqlite_sequence WHERE name = 'results_elsewhere';
INSERT INTO sqlite_sequence (name, seq) SELECT 'results_elsewhere', seq FROM sqlite_sequence WHERE name = 'results';

DROP TABLE results;
ALTER TABLE results_elsewhere RENAME TO results;

-- Pages walk this one backwards. There is deliberately no index on the expiry: the planner would prefer it and sort.
CREATE INDEX results_newest ON results (checked_at_us, id) WHERE searchable = 1;
CREATE INDEX results_person ON results (person_index) WHERE person_index IS NOT NULL;
CREATE INDEX results_inquiry ON results (inquiry_index) WHERE inquiry_index IS NOT NULL;
CREATE UNIQUE INDEX results_upstream ON results (month, upstream_key) WHERE upstream_key IS NOT NULL;
-- What happened in one second. The month stands first so that pages have no use for this one.
CREATE INDEX results_second ON results (month, checked_at_us);

-- The only way to read results: what has expired at the clock's high-water mark is not there. Queries bind the present
-- instant besides, because the mark moves only with commits.
CREATE VIEW live_results AS
SELECT *
FROM results
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);
