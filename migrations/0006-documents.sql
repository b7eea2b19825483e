-- Documents of scripts: the inline projection docs, and the keys by which documents are compared and sorted.
-- The rules of the rows are told in picloud/projections/docs.py.
-- depends: 0005-effects

CREATE SCHEMA docs;
CREATE SCHEMA jsonkey;

-- data is the text as it was written; body is what filters look into, in which 1e300 has its digits and -0.0 no sign.
CREATE TABLE docs.documents (
    app        text        COLLATE "C" NOT NULL,
    collection text        COLLATE "C" NOT NULL,
    id         text        COLLATE "C" NOT NULL,
    version    bigint      NOT NULL,
    created    timestamptz NOT NULL,
    updated    timestamptz NOT NULL,
    bytes      bigint      NOT NULL,
    data       text        NOT NULL,
    body       jsonb       NOT NULL,
    PRIMARY KEY (app, collection, id)
);

-- A collection that was configured (version > 0), or holds documents.
CREATE TABLE docs.collections (
    app       text   COLLATE "C" NOT NULL,
    name      text   COLLATE "C" NOT NULL,
    version   bigint NOT NULL,
    indexes   jsonb  NOT NULL,
    schema    text,
    documents bigint NOT NULL,
    bytes     bigint NOT NULL,
    PRIMARY KEY (app, name)
);

-- What each app holds; no row for one that holds nothing.
CREATE TABLE docs.usage (
    app   text   COLLATE "C" NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (app)
);

-- The parts of a value's place in the order of all values: see picloud/domain/document_path.py. They are never null,
-- and small enough for an index whatever the value is. Plain SQL, so that the planner writes them out.
CREATE FUNCTION jsonkey.rank(value jsonb)
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value)
               WHEN 'boolean' THEN 1
               WHEN 'number' THEN 2
               WHEN 'string' THEN 3
               WHEN 'array' THEN 4
               WHEN 'object' THEN 5
               ELSE 0
           END
$$;

CREATE FUNCTION jsonkey.number(value jsonb)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value)
               WHEN 'number' THEN value::numeric
               WHEN 'boolean' THEN CASE WHEN value::boolean THEN 1::numeric ELSE 0::numeric END
               ELSE 0::numeric
           END
$$;

CREATE FUNCTION jsonkey.text(value jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value) WHEN 'string' THEN left(value #>> '{}', 150) ELSE '' END
$$;

-- The newest version of a stream, 0 if it is empty, as the statement that asks sees the log.
CREATE FUNCTION log.version_of(stream uuid)
RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(e.originator_version), 0) FROM log.events e WHERE e.originator_id = stream
$$;

-- Does to documents and collections what events do; each document and each collection is named once. datas holds null for
-- a document that is deleted; fresh ones were inserted, whatever was there before. The live tables are changed in the
-- commit that appends the events, at its time and within the quota; a rebuild says the times. Names tables without a
-- schema: see 0003.
CREATE FUNCTION log.change_docs(
    store         text,
    live          boolean,
    default_items bigint,
    default_bytes bigint,
    of_apps       text[],
    of_names      text[],
    of_ids        text[],
    of_versions   bigint[],
    of_fresh      boolean[],
    of_creations  timestamptz[],
    of_updates    timestamptz[],
    of_datas      text[],
    set_apps      text[],
    set_names     text[],
    set_versions  bigint[],
    set_indexes   text[],
    set_schemas   text[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz;
    used   record;
BEGIN
    PERFORM set_config('search_path', store, true);
    IF live THEN
        SELECT e.recorded_at INTO now_at FROM log.events e ORDER BY e.notification_id DESC LIMIT 1;
    END IF;

    INSERT INTO collections (app, name, version, indexes, schema, documents, bytes)
    SELECT s.app, s.name, s.version, s.indexes::jsonb, s.schema, 0, 0
    FROM unnest(set_apps, set_names, set_versions, set_indexes, set_schemas)
         AS s (app, name, version, indexes, schema)
    ON CONFLICT (app, name) DO UPDATE
        SET version = excluded.version, indexes = excluded.indexes, schema = excluded.schema;

    IF cardinality(of_apps) = 0 THEN
        RETURN;
    END IF;

    FOR used IN
        WITH steps AS (
            SELECT g.app, g.name, 1 AS documents, octet_length(g.data)::bigint AS bytes
            FROM unnest(of_apps, of_names, of_datas) AS g (app, name, data)
            WHERE g.data IS NOT NULL
            UNION ALL
            SELECT d.app, d.collection, -1, -d.bytes
            FROM unnest(of_apps, of_names, of_ids) AS g (app, name, id)
            JOIN documents d ON d.app = g.app AND d.collection = g.name AND d.id = g.id
        ), of_collections AS (
            INSERT INTO collections AS c (app, name, version, indexes, schema, documents, bytes)
            SELECT s.app, s.name, 0, '[]', NULL, sum(s.documents), sum(s.bytes)
            FROM steps s
            GROUP BY s.app, s.name
            ON CONFLICT (app, name) DO UPDATE
                SET documents = c.documents + excluded.documents, bytes = c.bytes + excluded.bytes
        ), more AS (
            SELECT s.app, sum(s.documents) AS items, sum(s.bytes) AS bytes FROM steps s GROUP BY s.app
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
            PERFORM log.check_quota('docs', used.app, used.items, used.bytes, default_items, default_bytes);
        END IF;
    END LOOP;

    DELETE FROM documents d
    USING unnest(of_apps, of_names, of_ids, of_datas, of_fresh) AS g (app, name, id, data, fresh)
    WHERE d.app = g.app AND d.collection = g.name AND d.id = g.id AND (g.data IS NULL OR g.fresh);

    INSERT INTO documents AS d (app, collection, id, version, created, updated, bytes, data, body)
    SELECT g.app, g.name, g.id, g.version, coalesce(g.created, now_at, g.updated), coalesce(g.updated, now_at),
           octet_length(g.data), g.data, g.data::jsonb
    FROM unnest(of_apps, of_names, of_ids, of_versions, of_creations, of_updates, of_datas)
         AS g (app, name, id, version, created, updated, data)
    WHERE g.data IS NOT NULL
    ON CONFLICT (app, collection, id) DO UPDATE
        SET version = excluded.version, updated = excluded.updated, bytes = excluded.bytes, data = excluded.data,
            body = excluded.body;

    IF array_position(of_datas, NULL) IS NOT NULL THEN
        DELETE FROM collections c WHERE c.documents = 0 AND c.version = 0 AND c.app = ANY (of_apps);
        DELETE FROM usage u WHERE u.items = 0 AND u.app = ANY (of_apps);
    END IF;
END
$$;
