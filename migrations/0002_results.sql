-- Results. Everything that names somebody is inside `payload` (encrypted); the columns in clear are only what queries
-- need. `person_index` and `inquiry_index` are keyed hashes whose keys derive from the key of the month.
-- AUTOINCREMENT: a number is never reused, not even after a purge.
CREATE TABLE results (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    check_id      TEXT    NOT NULL UNIQUE,
    checked_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    month         INTEGER NOT NULL,
    terminal      TEXT    NOT NULL,
    validity      TEXT    NOT NULL,
    searchable    INTEGER NOT NULL CHECK (searchable IN (0, 1)),
    origin        TEXT    NOT NULL CHECK (origin IN ('production', 'sandbox')),
    version       INTEGER NOT NULL CHECK (version > 0),
    person_index  BLOB,
    inquiry_index BLOB,
    payload       BLOB    NOT NULL
) STRICT;

-- Pages walk this one backwards. There is deliberately no index on the expiry: the planner would prefer it and sort.
CREATE INDEX results_newest ON results (checked_at_us, id) WHERE searchable = 1;
CREATE INDEX results_person ON results (person_index) WHERE person_index IS NOT NULL;
CREATE INDEX results_inquiry ON results (inquiry_index) WHERE inquiry_index IS NOT NULL;
