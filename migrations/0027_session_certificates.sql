-- The client certificate that a session is bound to, by its row.
ALTER TABLE sessions ADD COLUMN certificate INTEGER;
