-- Sessions with a name of their own (`id`, drawn at random, says nothing of the token), the enrolled terminal they are bound
-- to, and whether they may do nothing but change the password. Sessions last half a day: everybody signs in once more.
DROP TABLE sessions;
CREATE TABLE sessions (
    token_hash      BLOB    PRIMARY KEY CHECK (length(token_hash) = 32),
    id              TEXT    NOT NULL UNIQUE,
    account         TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('operator', 'receipt-computer', 'administrator')),
    terminal        INTEGER,
    restricted      INTEGER NOT NULL CHECK (restricted IN (0, 1)),
    created_at_us   INTEGER NOT NULL,
    last_used_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
