-- Retention of the audit log itself: rows up to `seq` were removed; the chain goes on from `mac`. `proof` is a keyed hash
-- over both, so that only the program can cut. Rows can be deleted below a recorded cut and nowhere else, and a cut only
-- moves forward.
CREATE TABLE audit_cut (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    seq   INTEGER NOT NULL,
    mac   BLOB    NOT NULL CHECK (length(mac) = 32),
    proof BLOB    NOT NULL CHECK (length(proof) = 32)
) STRICT;

INSERT INTO audit_cut (id, seq, mac, proof) VALUES (1, 0, zeroblob(32), zeroblob(32));

CREATE TRIGGER audit_cut_stays BEFORE DELETE ON audit_cut
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- The row it cuts at must be there, and at least one row above it.
CREATE TRIGGER audit_cut_forward BEFORE UPDATE ON audit_cut
WHEN NEW.id <> 1 OR NEW.seq <= OLD.seq OR NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq AND mac = NEW.mac)
    OR NOT EXISTS (SELECT 1 FROM audit WHERE seq > NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

DROP TRIGGER audit_no_delete;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN OLD.seq > (SELECT seq FROM audit_cut)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
