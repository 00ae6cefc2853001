-- The person of a queued inquiry number, as a keyed hash like `results.person_index`: a result that is stored while the
-- number is on its way says so from the start. Erased, like the payload, when the job has ended.
ALTER TABLE inquiry_jobs ADD COLUMN person_index BLOB;

CREATE INDEX inquiry_jobs_person ON inquiry_jobs (person_index) WHERE state = 'queued' AND person_index IS NOT NULL;
