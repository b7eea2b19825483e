-- Secrets and settings in the catalog: empty tables until the catalog is rebuilt, so that apps can be read meanwhile;
-- and what else a catalog lacks that an earlier version made, and that apps are read with.
-- A new database has no catalog yet; it is made whole behind the migrations.
-- depends: 0002-projections

DO $$
BEGIN
    IF to_regclass('catalog.apps') IS NULL THEN
        RETURN;
    END IF;
    ALTER TABLE catalog.apps ADD COLUMN IF NOT EXISTS egress jsonb;
    CREATE TABLE catalog.secrets (
        id       uuid    PRIMARY KEY,
        app      text    NOT NULL,
        name     text    NOT NULL,
        number   integer NOT NULL,
        versions jsonb   NOT NULL
    );
    CREATE TABLE catalog.settings (
        id         uuid        PRIMARY KEY,
        app        text        NOT NULL,
        name       text        NOT NULL,
        number     integer     NOT NULL,
        kind       text,
        value      text,
        changed_at timestamptz NOT NULL,
        changed_by text        NOT NULL
    );
END
$$;
