-- Clock high-water mark: the latest instant this store has ever seen, microseconds since 1970.
-- A clock that is set back must not bring an expired result back.
CREATE TABLE clock (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    high_water_us INTEGER NOT NULL
) STRICT;

INSERT INTO clock (id, high_water_us) VALUES (1, 0);
