-- Which store this is: a number drawn when a store begins and when one is restored. Tags of answers and places of followers say whose
-- they are by it. What a client kept of another store, or of this one before its restore, is then no news of this one: numbers of
-- results, versions and changes may be the same there and mean something else. No row: to be drawn at the next start.
CREATE TABLE store_identity (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
