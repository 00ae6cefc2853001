-- Accounts. `totp_secret` is encrypted; `last_step` is the last accepted TOTP step, -1 before the first.
CREATE TABLE accounts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    role            TEXT    NOT NULL CHECK (role IN ('operator', 'receipt-computer', 'administrator')),
    password_hash   TEXT    NOT NULL,
    totp_secret     BLOB    NOT NULL,
    last_step       INTEGER NOT NULL DEFAULT -1,
    failures        INTEGER NOT NULL DEFAULT 0,
    last_failure_us INTEGER
) STRICT;
