-- Audit log: append-only, without gaps, each row's `mac` over its content and the mac before it. Holds no insured data;
-- `results` is the packed list of result numbers (8 bytes each, big-endian).
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    terminal TEXT,
    results  BLOB    NOT NULL,
    outcome  TEXT    NOT NULL,
    mac      BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Also stops INSERT OR REPLACE, which would not fire the trigger on DELETE.
CREATE TRIGGER audit_only_append BEFORE INSERT ON audit
WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
