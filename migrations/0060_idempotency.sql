-- Requests of the last 24 hours that carried a key. `key_index` is a keyed hash (key of the month) of account and key,
-- because a key can name somebody; `payload` holds the hash of the request and what it brought about, sealed with the
-- month's key: the request has personal data in it, and a bare hash of that could be guessed.
CREATE TABLE idempotency (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key_index     BLOB    NOT NULL UNIQUE,
    month         INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    payload       BLOB    NOT NULL
) STRICT;

CREATE INDEX idempotency_ended ON idempotency (expires_at_us);
