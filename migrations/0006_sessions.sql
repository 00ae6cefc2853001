-- Sessions: the bearer token only as its SHA-256.
CREATE TABLE sessions (
    token_hash      BLOB    PRIMARY KEY CHECK (length(token_hash) = 32),
    account         TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('operator', 'receipt-computer', 'administrator')),
    created_at_us   INTEGER NOT NULL,
    last_used_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
