-- One index of what is queued, in the order in which it came, in place of two. A result that is stored looks through it for a
-- number of its person: ten thousand entries, the most that may wait, are sixty pages. By the person's hash, every number that
-- is taken in would write a page of its own.
DROP INDEX inquiry_jobs_queued;
DROP INDEX inquiry_jobs_person;
CREATE INDEX inquiry_jobs_queued ON inquiry_jobs (id, person_index) WHERE state = 'queued';
