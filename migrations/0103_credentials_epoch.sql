-- Raised by whatever takes an account's credentials away: disabling, another password or authenticator, a passkey removed. A sign-in
-- or a change of one's own that was judged by the credentials of before lets nobody in and changes nothing.
ALTER TABLE accounts ADD COLUMN credentials_epoch INTEGER NOT NULL DEFAULT 0;
