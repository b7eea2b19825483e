-- Files of apps: content of any size, kept once in chunks, and what follows from the events on files and sites.
-- depends: 0005-effects

-- A content: its chunks, named by its hash as soon as it is whole. One without a hash is being uploaded (then it has no
-- size) or was given up; it is taken away a day after it was touched. All chunks but the last have chunk_bytes.
CREATE TABLE log.blobs (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256      text        COLLATE "C" UNIQUE,
    size        bigint,
    chunk_bytes integer     NOT NULL,
    touched_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX blobs_nameless ON log.blobs (touched_at) WHERE sha256 IS NULL;

CREATE TABLE log.chunks (
    blob    bigint  NOT NULL REFERENCES log.blobs (id),
    seq     integer NOT NULL,
    content bytea   NOT NULL,
    PRIMARY KEY (blob, seq)
);
-- What is large is mostly compressed already; and of what isn't compressed a part can be read alone.
ALTER TABLE log.chunks ALTER COLUMN content SET STORAGE EXTERNAL;

-- Content that an app may name although no file of it does: it was just stored, or its file was overwritten or deleted.
CREATE TABLE log.holds (
    app    text        COLLATE "C" NOT NULL,
    sha256 text        COLLATE "C" NOT NULL,
    since  timestamptz NOT NULL,
    PRIMARY KEY (app, sha256)
);
CREATE INDEX holds_since ON log.holds (since);
CREATE INDEX holds_sha256 ON log.holds (sha256);

-- Stores one chunk of an upload. The commit need not reach the disk: that of log.keep_blob takes it there too.
CREATE FUNCTION log.put_chunk(upload bigint, number integer, bytes bytea)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO log.chunks (blob, seq, content) VALUES (upload, number, bytes);
    IF number % 64 = 63 THEN
        UPDATE log.blobs b SET touched_at = clock_timestamp() WHERE b.id = upload;
    END IF;
END
$$;

-- Names an upload that is whole by its hash, or drops it if the same content is there; the app holds it from now on.
CREATE FUNCTION log.keep_blob(upload bigint, hash text, bytes bigint, of_app text)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        -- Touched, so that it isn't given up at this moment: see log.give_up_blobs.
        UPDATE log.blobs b SET touched_at = clock_timestamp() WHERE b.sha256 = hash;
        IF FOUND THEN
            DELETE FROM log.chunks c WHERE c.blob = upload;
            DELETE FROM log.blobs b WHERE b.id = upload;
            EXIT;
        END IF;
        BEGIN
            UPDATE log.blobs b SET sha256 = hash, size = bytes, touched_at = clock_timestamp()
            WHERE b.id = upload AND b.size IS NULL;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the upload % was given up', upload USING ERRCODE = 'no_data_found';
            END IF;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            NULL; -- Somebody else stored the same a moment ago.
        END;
    END LOOP;
    INSERT INTO log.holds AS h (app, sha256, since)
    VALUES (of_app, hash, clock_timestamp())
    ON CONFLICT (app, sha256) DO UPDATE SET since = greatest(h.since, excluded.since);
END
$$;

-- Gives up content that no file names and nobody has held since before; returns how many. Files are written under the
-- append lock too, so none that names it can be committed meanwhile. Blobs first, holds then, as in log.keep_blob.
CREATE FUNCTION log.give_up_blobs(before timestamptz)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    given_up integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7236274001);
    UPDATE log.blobs b
    SET sha256 = NULL, touched_at = clock_timestamp()
    FROM (SELECT DISTINCT h.sha256 FROM log.holds h WHERE h.since < before) g
    WHERE b.sha256 = g.sha256
      AND b.touched_at < before
      AND NOT EXISTS (SELECT FROM files.entries e WHERE e.sha256 = g.sha256)
      AND NOT EXISTS (SELECT FROM log.holds h WHERE h.sha256 = g.sha256 AND h.since >= before);
    GET DIAGNOSTICS given_up = ROW_COUNT;
    DELETE FROM log.holds h WHERE h.since < before;
    RETURN given_up;
END
$$;

-- The projection 'files': see picloud/projections/files.py. A path that was deleted keeps its row, with no content,
-- because its version goes on counting; a site that was removed keeps its own, with no settings.
CREATE SCHEMA files;

CREATE TABLE files.entries (
    app          text        COLLATE "C" NOT NULL,
    path         text        COLLATE "C" NOT NULL,
    sha256       text        COLLATE "C",
    size         bigint      NOT NULL,
    content_type text        NOT NULL,
    metadata     jsonb       NOT NULL,
    version      bigint      NOT NULL,
    written_at   timestamptz NOT NULL,
    PRIMARY KEY (app, path)
);
CREATE INDEX entries_there ON files.entries (app, path) WHERE sha256 IS NOT NULL;
CREATE INDEX entries_sha256 ON files.entries (sha256) WHERE sha256 IS NOT NULL;

CREATE TABLE files.usage (
    app   text   COLLATE "C" NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (app)
);

CREATE TABLE files.sites (
    app         text   COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    settings    jsonb,
    deployed_at timestamptz,
    items       bigint NOT NULL,
    bytes       bigint NOT NULL,
    PRIMARY KEY (app)
);

-- Does to files and sites what events do, one row for each path and each site; the counts of events go on with the
-- versions. of_hashes has no hash for a file that was deleted. Settings are null where they stay, 'null' where they go.
-- The live tables are changed in the commit that appends the events: within the quota, and only to content that is
-- there. Names tables without a schema: see 0003.
CREATE FUNCTION log.change_files(
    store         text,
    live          boolean,
    default_items bigint,
    default_bytes bigint,
    of_apps       text[],
    of_paths      text[],
    of_hashes     text[],
    of_sizes      bigint[],
    of_types      text[],
    of_metadata   text[],
    of_events     bigint[],
    of_times      timestamptz[],
    site_apps     text[],
    site_settings text[],
    site_deployed boolean[],
    site_items    bigint[],
    site_bytes    bigint[],
    site_events   bigint[],
    site_times    timestamptz[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz;
    used   record;
    lost   text;
BEGIN
    PERFORM set_config('search_path', store, true);
    IF live THEN
        SELECT e.recorded_at INTO now_at FROM log.events e ORDER BY e.notification_id DESC LIMIT 1;
        SELECT g.path INTO lost
        FROM unnest(of_paths, of_hashes) AS g (path, sha256)
        WHERE g.sha256 IS NOT NULL AND NOT EXISTS (SELECT FROM log.blobs b WHERE b.sha256 = g.sha256)
        LIMIT 1;
        IF FOUND THEN
            PERFORM log.refuse('the content for the file ' || lost || ' is not there any more; write it again');
        END IF;
        INSERT INTO log.holds AS h (app, sha256, since)
        SELECT DISTINCT e.app, e.sha256, now_at
        FROM unnest(of_apps, of_paths, of_hashes) AS g (app, path, sha256)
        JOIN entries e ON e.app = g.app AND e.path = g.path
        WHERE e.sha256 IS NOT NULL AND e.sha256 IS DISTINCT FROM g.sha256
        ON CONFLICT (app, sha256) DO UPDATE SET since = greatest(h.since, excluded.since);
    END IF;

    FOR used IN
        WITH given AS (
            SELECT g.app, g.path, g.sha256, g.size, g.type, g.metadata, coalesce(now_at, g.at) AS at,
                   coalesce(e.version, 0) + g.events AS version,
                   e.sha256 IS NOT NULL AS was, coalesce(e.size, 0) AS was_size
            FROM unnest(of_apps, of_paths, of_hashes, of_sizes, of_types, of_metadata, of_events, of_times)
                 AS g (app, path, sha256, size, type, metadata, events, at)
            LEFT JOIN entries e ON e.app = g.app AND e.path = g.path
        ), put AS (
            INSERT INTO entries (app, path, sha256, size, content_type, metadata, version, written_at)
            SELECT g.app, g.path, g.sha256, g.size, g.type, g.metadata::jsonb, g.version, g.at FROM given g
            ON CONFLICT (app, path) DO UPDATE
                SET sha256 = excluded.sha256, size = excluded.size, content_type = excluded.content_type,
                    metadata = excluded.metadata, version = excluded.version, written_at = excluded.written_at
        ), more AS (
            SELECT g.app,
                   sum((g.sha256 IS NOT NULL)::integer - g.was::integer) AS items,
                   sum(g.size - g.was_size) AS bytes
            FROM given g
            GROUP BY g.app
        ), counted AS (
            INSERT INTO usage AS u (app, items, bytes)
            SELECT m.app, m.items, m.bytes FROM more m
            ON CONFLICT (app) DO UPDATE SET items = u.items + excluded.items, bytes = u.bytes + excluded.bytes
            RETURNING u.app, u.items, u.bytes
        )
        SELECT c.app, c.items, c.bytes
        FROM counted c
        JOIN more m ON m.app = c.app
        WHERE m.items > 0 OR m.bytes > 0
    LOOP
        IF live THEN
            PERFORM log.check_quota('files', used.app, used.items, used.bytes, default_items, default_bytes);
        END IF;
    END LOOP;

    IF cardinality(site_apps) > 0 THEN
        INSERT INTO sites AS s (app, version, settings, deployed_at, items, bytes)
        SELECT g.app, coalesce(o.version, 0) + g.events,
               CASE WHEN g.settings IS NULL THEN o.settings ELSE nullif(g.settings::jsonb, 'null') END,
               CASE WHEN g.deployed THEN coalesce(now_at, g.at) ELSE o.deployed_at END,
               CASE WHEN g.deployed THEN g.items ELSE coalesce(o.items, 0) END,
               CASE WHEN g.deployed THEN g.bytes ELSE coalesce(o.bytes, 0) END
        FROM unnest(site_apps, site_settings, site_deployed, site_items, site_bytes, site_events, site_times)
             AS g (app, settings, deployed, items, bytes, events, at)
        LEFT JOIN sites o ON o.app = g.app
        ON CONFLICT (app) DO UPDATE
            SET version = excluded.version, settings = excluded.settings, deployed_at = excluded.deployed_at,
                items = excluded.items, bytes = excluded.bytes;
    END IF;
END
$$;
