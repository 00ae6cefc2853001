-- The only way to read results: what has expired at the clock's high-water mark is not there. Queries bind the present
-- instant besides, because the mark moves only with commits.
CREATE VIEW live_results AS
SELECT *
FROM results
WHERE expires_at_us > (SELECT high_water_us FROM clock WHERE id = 1);
