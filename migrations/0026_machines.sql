-- The daemon's own certificate authority: one certificate (PEM) and its key (PKCS#8, sealed with a system key), made at first
-- need. Client certificates of receipt computers only as their SHA-256; `renews` is the row of the one it takes over from.
CREATE TABLE certificate_authority (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    certificate TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    sealed_key  BLOB    NOT NULL
) STRICT;

CREATE TABLE machine_certificates (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account      INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    fingerprint  BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    issued_at_us INTEGER NOT NULL,
    ends_at_us   INTEGER NOT NULL,
    renews       INTEGER
) STRICT;
