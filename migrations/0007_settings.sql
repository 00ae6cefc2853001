-- Settings that staff change while the daemon runs; one row. `visual_confirmation` is 「目視確認で本人認証」.
CREATE TABLE security_settings (
    id                  INTEGER PRIMARY KEY CHECK (id = 1),
    visual_confirmation INTEGER NOT NULL CHECK (visual_confirmation IN (0, 1))
) STRICT;

INSERT INTO security_settings (id, visual_confirmation) VALUES (1, 1);
