-- The latest instant that was seen while the clock was plausible, microseconds since 1970; never goes back.
-- `high_water_us` may be lowered to a plausible instant after a clock that ran ahead, but never below this one: what a
-- plausible clock has seen expire does not come back.
ALTER TABLE clock ADD COLUMN plausible_us INTEGER NOT NULL DEFAULT 0;
