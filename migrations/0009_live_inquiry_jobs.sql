-- The only way to read the queue: as with results, what has expired at the clock's high-water mark is not there.
CREATE VIEW live_inquiry_jobs AS
SELECT *
FROM inquiry_jobs
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);

CREATE VIEW live_inquiry_bulks AS
SELECT *
FROM inquiry_bulks
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);
