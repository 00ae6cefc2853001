-- Announcements of the central system's operators: public texts, kept so that they show while it is away. `arrival`
-- grows with every one that arrives or changes. Marks say which arrivals were there at the latest sign-in of an account
-- (`latest`) and at the one before (`previous`).
CREATE TABLE announcements (
    arrival         INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    published_at_us INTEGER NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('notice', 'outage', 'maintenance')),
    title           TEXT    NOT NULL,
    body            TEXT,
    url             TEXT,
    closed_from_us  INTEGER,
    closed_until_us INTEGER,
    closes          TEXT    CHECK (closes IN ('everything', 'registration')),
    CHECK ((closes IS NULL) = (closed_from_us IS NULL) AND (closes IS NULL) = (closed_until_us IS NULL))
) STRICT;

CREATE TABLE announcement_marks (
    account  TEXT    PRIMARY KEY,
    latest   INTEGER NOT NULL,
    previous INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
