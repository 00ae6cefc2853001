-- What an audit row says besides: `run` counts the openings of the store (0: written before this change, whose rows have
-- the older form of `mac`), `up_us` is the monotonic time since that opening, `batch` the number of the commit that
-- wrote it, `wall_us` what the wall clock said (`at_us` never goes back), `source` from where it was asked.
ALTER TABLE audit ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN up_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN wall_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN source TEXT NOT NULL DEFAULT '';

CREATE TABLE store_runs (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    runs INTEGER NOT NULL
) STRICT;

INSERT INTO store_runs (id, runs) VALUES (1, 0);
