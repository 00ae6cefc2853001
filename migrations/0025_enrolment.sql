-- Codes with which a device is enrolled once: `subject` is a terminal's name or an account. High-entropy, so a plain hash.
CREATE TABLE enrolment_codes (
    hash          BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    kind          TEXT    NOT NULL CHECK (kind IN ('terminal', 'machine')),
    subject       TEXT    NOT NULL,
    expires_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Enrolled terminals; the token only as its SHA-256.
CREATE TABLE enrolled_terminals (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    token_hash     BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    enrolled_at_us INTEGER NOT NULL
) STRICT;
