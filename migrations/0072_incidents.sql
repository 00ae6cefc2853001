-- Incidents at the front desk: another person's data were shown, or somebody's identity was in doubt. Nothing here names a patient:
-- `result` is a number that means nothing once the result is gone. `measures` is a set of bits, one for each measure of
-- the fixed list.
CREATE TABLE incidents (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    recorded_at_us INTEGER NOT NULL,
    recorded_by    TEXT    NOT NULL,
    terminal       TEXT,
    kind           TEXT    NOT NULL CHECK (kind IN ('another_person_shown', 'identity_in_doubt')),
    result         INTEGER,
    measures       INTEGER NOT NULL CHECK (measures >= 0)
) STRICT;
