-- 端末の安全管理に関するチェックリスト as it was filled in: one row a time, never changed. `done` is a set of bits, one for each item
-- of the manual's list in its order.
CREATE TABLE checklist_records (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    recorded_at_us INTEGER NOT NULL,
    recorded_by    TEXT    NOT NULL,
    terminal       TEXT,
    done           INTEGER NOT NULL CHECK (done >= 0)
) STRICT;
