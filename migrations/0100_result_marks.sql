-- What a result says of an inquiry number that is on its way, or that failed, beside its row: whoever registers a number waits
-- for its mark, and a mark of its own is a fraction of the pages that the result's row, its body and their indexes are.
-- Names nobody: `job` is the number of a job, `failure` and `upstream_code` are its words. While there is a mark, its
-- `version` and `change` are the result's. (Results of older versions have theirs in the payload until they are written again.)
CREATE TABLE result_marks (
    id            INTEGER PRIMARY KEY REFERENCES results (id) ON DELETE CASCADE,
    version       INTEGER NOT NULL,
    change        INTEGER NOT NULL,
    job           INTEGER NOT NULL,
    failure       TEXT,
    upstream_code TEXT
) STRICT;

CREATE UNIQUE INDEX result_marks_change ON result_marks (change);
