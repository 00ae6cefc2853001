-- Failures in a row, one counter an account and device: `device` is empty for everybody, otherwise an enrolled terminal or a
-- client certificate, which nobody else on the network can lock.
CREATE TABLE sign_in_failures (
    account         INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device          TEXT    NOT NULL,
    failures        INTEGER NOT NULL CHECK (failures > 0),
    last_failure_us INTEGER,
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

INSERT INTO sign_in_failures (account, device, failures, last_failure_us)
SELECT id, '', failures, last_failure_us FROM accounts WHERE failures > 0;

ALTER TABLE accounts DROP COLUMN failures;
ALTER TABLE accounts DROP COLUMN last_failure_us;
