-- What a read of results costs next to nothing with:
-- `result_bodies` holds each result as it is sent, sealed like `results.payload` under the key of its month; `form` is
-- the form it was rendered in. It is a table of its own because a read then passes over no payload. A row without a body
-- of the present form is rendered when it is read.
CREATE TABLE result_bodies (
    id   INTEGER PRIMARY KEY REFERENCES results (id) ON DELETE CASCADE,
    form INTEGER NOT NULL,
    body BLOB    NOT NULL
) STRICT;

-- Every change that shows takes the next number of one sequence, which a purge does not take back.
CREATE TABLE results_sequence (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    change INTEGER NOT NULL
) STRICT;

INSERT INTO results_sequence (id, change)
VALUES (1, COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'results'), 0));

DROP VIEW live_results;

ALTER TABLE results ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
UPDATE results SET change = id;
CREATE UNIQUE INDEX results_change ON results (change);

-- Pages walk this one backwards and find in it all they need but the body.
DROP INDEX results_newest;
CREATE INDEX results_newest ON results
    (checked_at_us, id, expires_at_us, month, version, change, terminal, validity) WHERE searchable = 1;

CREATE VIEW live_results AS
SELECT *
FROM results
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);
