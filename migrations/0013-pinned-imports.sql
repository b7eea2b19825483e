-- What versions of scripts import, in a catalog of before: unknown until the catalog is rebuilt, so that runs can ask
-- meanwhile, and get what is deployed.
-- depends: 0002-projections

DO $$
BEGIN
    IF to_regclass('catalog.versions') IS NOT NULL THEN
        ALTER TABLE catalog.versions ADD COLUMN IF NOT EXISTS imports jsonb;
    END IF;
END
$$;
