-- Passkeys (WebAuthn), each of which signs its account in by itself. Nothing of them is secret. `user_handle` is the random name of
-- the account inside authenticators, `public_key` a COSE key. `sign_count` is the authenticator's own counter as last seen;
-- it never goes back. AUTOINCREMENT: a number that somebody asks to remove is never another passkey's.
CREATE TABLE passkeys (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    account         INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    user_handle     BLOB    NOT NULL CHECK (length(user_handle) = 32),
    credential      BLOB    NOT NULL UNIQUE CHECK (length(credential) BETWEEN 1 AND 1023),
    public_key      BLOB    NOT NULL,
    sign_count      INTEGER NOT NULL,
    created_at_us   INTEGER NOT NULL,
    last_used_at_us INTEGER
) STRICT;

CREATE INDEX passkeys_account ON passkeys (account);
