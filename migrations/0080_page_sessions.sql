-- Whether a session began on the front-desk page, where its token is a cookie: it works there and nowhere else.
ALTER TABLE sessions ADD COLUMN on_page INTEGER NOT NULL DEFAULT 0 CHECK (on_page IN (0, 1));
