-- Whether operators need a six-digit code beside their password; receipt computers and administrators always do.
ALTER TABLE security_settings
ADD COLUMN operators_need_code INTEGER NOT NULL DEFAULT 1 CHECK (operators_need_code IN (0, 1));
