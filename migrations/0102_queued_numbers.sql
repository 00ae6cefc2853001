-- The number of a queued job, as a keyed hash like `results.inquiry_index`: one that is on its way for somebody is not taken in for
-- somebody else. Erased, like the payload, when the job has ended; jobs of before have none. An index by the hash, though each
-- number that is taken in writes a page of it: every item of a bulk looks here, and ten thousand looks through ten thousand
-- entries would hold up everybody else who writes.
ALTER TABLE inquiry_jobs ADD COLUMN number_index BLOB;

CREATE INDEX inquiry_jobs_number ON inquiry_jobs (number_index, person_index)
WHERE state = 'queued' AND number_index IS NOT NULL;
