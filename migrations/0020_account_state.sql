-- What an administrator sets: `must_change` while the password is one that somebody else chose, `disabled` until enabled
-- again. `totp_offer` is an authenticator secret (encrypted) that waits for its first code.
ALTER TABLE accounts ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0 CHECK (must_change IN (0, 1));
ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1));
ALTER TABLE accounts ADD COLUMN totp_offer BLOB;
