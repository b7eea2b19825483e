-- Effects of scripts: events that are put behind whatever is in their stream, values that expire, counters and lists
-- that commute, and what an app may keep.
-- depends: 0004-route-guards

DROP FUNCTION log.append(uuid[], bigint[], text[], bytea[], text[], text[], uuid[], uuid[], jsonb, jsonb, uuid[], bigint[],
    integer[], timestamptz[], text[], uuid[], uuid[], uuid[], uuid[], text[], text[], text[], bigint[], text[], text[]);

-- Appends events in one round trip and one transaction, with what follows from them inline.
-- Positions have no gaps, and commit order is position order: the advisory lock is held from before the first position
-- is chosen until the commit; times come from the database's clock. A taken (stream, version) raises unique_violation,
-- and nothing of the call is stored.
-- An event whose version is 0 is put behind whatever is in its stream; all others say what they expect to be there.
-- What a debounce supersedes is cancelled behind the given events, as picloud/log/mapper.py writes it.
-- Returns the position of the last of the given events.
CREATE FUNCTION log.append(
    ids          uuid[],
    versions     bigint[],
    topics       text[],
    states       bytea[],
    apps         text[],
    actors       text[],
    correlations uuid[],
    causations   uuid[],
    limit_rows       jsonb,
    flow_rows        jsonb,
    put_ids          uuid[],
    put_versions     bigint[],
    put_attempts     integer[],
    put_dues         timestamptz[],
    put_apps         text[],
    put_correlations uuid[],
    started_ids      uuid[],
    started_batches  uuid[],
    ended_ids        uuid[],
    channels         text[],
    payloads         text[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head    bigint;
    at      timestamptz;
    outcome record;
BEGIN
    PERFORM pg_advisory_xact_lock(7236274001);
    at := log.clock();
    SELECT coalesce(max(notification_id), 0) INTO head FROM log.events;

    IF 0 = ANY (versions) THEN
        SELECT array_agg(CASE WHEN u.version > 0 THEN u.version ELSE u.last + u.nth END ORDER BY u.ordinal)
        INTO versions
        FROM (
            SELECT g.version, g.ordinal,
                   row_number() OVER (PARTITION BY g.id ORDER BY g.ordinal) AS nth,
                   CASE WHEN g.version = 0 THEN (
                       SELECT coalesce(max(e.originator_version), 0) FROM log.events e WHERE e.originator_id = g.id
                   ) END AS last
            FROM unnest(ids, versions) WITH ORDINALITY AS g (id, version, ordinal)
        ) u;
    END IF;

    INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                            app, actor, correlation_id, causation_id)
    SELECT e.id, e.version, e.topic, e.state, head + e.ordinal, at, e.app, e.actor, e.correlation, e.causation
    FROM unnest(ids, versions, topics, states, apps, actors, correlations, causations)
         WITH ORDINALITY AS e (id, version, topic, state, app, actor, correlation, causation, ordinal);

    NOTIFY picloud_log;
    PERFORM pg_notify(w.channel, w.payload) FROM unnest(channels, payloads) AS w (channel, payload);

    IF limit_rows IS NOT NULL OR flow_rows IS NOT NULL OR cardinality(put_ids) > 0 OR cardinality(started_ids) > 0
       OR cardinality(ended_ids) > 0 THEN
        PERFORM set_config('search_path', 'outbox', true);
        SELECT * INTO outcome
        FROM log.change_outbox(at, head, limit_rows, flow_rows, put_ids, put_versions, put_attempts, put_dues, put_apps,
                               put_correlations, started_ids, started_batches, ended_ids);
        IF outcome.woken THEN
            NOTIFY picloud_outbox;
        END IF;
        IF outcome.superseded IS NOT NULL THEN
            INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                                    app, actor, correlation_id, causation_id)
            SELECT s.id, s.version + 1, 'Cancelled',
                   convert_to('{"reason":"debounced: another one came within the time"}', 'UTF8'),
                   head + cardinality(ids) + row_number() OVER (), at, s.app, 'system', s.correlation, s.cause
            FROM jsonb_to_recordset(outcome.superseded)
                 AS s (id uuid, version bigint, app text, correlation uuid, cause uuid);
        END IF;
    END IF;
    RETURN head + cardinality(ids);
END
$$;

-- What an app may keep in a service where it may keep other than any app may; written by the append.
CREATE SCHEMA quotas;

CREATE TABLE quotas.limits (
    app     text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    items   bigint,
    bytes   bigint,
    PRIMARY KEY (app, service)
);

CREATE FUNCTION log.change_quotas(store text, of_apps text[], of_services text[], of_items bigint[], of_bytes bigint[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', store, true);
    INSERT INTO limits (app, service, items, bytes)
    SELECT q.app, q.service, q.items, q.bytes
    FROM unnest(of_apps, of_services, of_items, of_bytes) AS q (app, service, items, bytes)
    ON CONFLICT (app, service) DO UPDATE SET items = excluded.items, bytes = excluded.bytes;
END
$$;

-- Refuses an append because of what one of its effects meets; the class of the error is PC001.
CREATE FUNCTION log.refuse(reason text)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'PC001';
END
$$;

-- Refuses an append by which an app would keep more in a service than it may; the class of the error is PC002.
CREATE FUNCTION log.check_quota(
    of_service text, of_app text, used_items bigint, used_bytes bigint, default_items bigint, default_bytes bigint
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    item_limit bigint := default_items;
    byte_limit bigint := default_bytes;
    own        record;
BEGIN
    SELECT l.items, l.bytes INTO own FROM quotas.limits l WHERE l.app = of_app AND l.service = of_service;
    IF FOUND THEN
        item_limit := coalesce(own.items, default_items);
        byte_limit := coalesce(own.bytes, default_bytes);
    END IF;
    IF used_items > item_limit OR used_bytes > byte_limit THEN
        RAISE EXCEPTION 'quota' USING ERRCODE = 'PC002', DETAIL = json_build_object(
            'app', of_app, 'service', of_service, 'items', used_items, 'item_limit', item_limit,
            'bytes', used_bytes, 'byte_limit', byte_limit);
    END IF;
END
$$;

ALTER TABLE kv.entries ADD COLUMN expires timestamptz;

CREATE INDEX entries_expiring ON kv.entries (expires) WHERE expires IS NOT NULL;

CREATE TABLE kv.usage (
    app   text COLLATE "C" NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (app)
);

INSERT INTO kv.usage (app, items, bytes)
SELECT e.app, count(*), sum(octet_length(e.key) + octet_length(e.value))
FROM kv.entries e
WHERE e.value IS NOT NULL
GROUP BY e.app;

CREATE FUNCTION log.incremented(was text, by text)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    sum numeric;
BEGIN
    IF was !~ '^-?[0-9]{1,19}$' THEN
        RETURN log.refuse('the value is no integer');
    END IF;
    sum := coalesce(was::numeric, 0) + by::numeric;
    IF sum NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        RETURN log.refuse('the sum has more than 64 bits');
    END IF;
    RETURN sum::text;
END
$$;

CREATE FUNCTION log.appended(was text, items text, max_bytes integer)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF was IS NULL OR was = '[]' THEN
        RETURN '[' || items || ']';
    END IF;
    IF left(was, 1) <> '[' THEN
        RETURN log.refuse('the value is no array');
    END IF;
    IF octet_length(was) + octet_length(items) + 1 > max_bytes THEN
        RETURN log.refuse('the array would be too long');
    END IF;
    RETURN left(was, -1) || ',' || items || ']';
END
$$;

-- Does to keys what events do, one row for each key: kind is set, delete, increment or append, events is how many there
-- are behind one another, at is their time. What has expired by then isn't there. The live tables are changed in the
-- commit that appends the events, at its time and within the quota. Names tables without a schema: see 0003.
CREATE FUNCTION log.change_kv(
    store         text,
    live          boolean,
    default_items bigint,
    default_bytes bigint,
    max_bytes     integer,
    of_apps       text[],
    of_keys       text[],
    of_kinds      text[],
    of_values     text[],
    of_expiries   timestamptz[],
    of_events     bigint[],
    of_times      timestamptz[]
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
    FOR used IN
        WITH found AS (
            SELECT g.app, g.key, g.kind, g.value, g.expires, g.events, e.version AS last,
                   CASE WHEN e.value IS NOT NULL THEN octet_length(e.key) + octet_length(e.value) END AS size,
                   CASE WHEN e.expires <= coalesce(now_at, g.at) THEN NULL ELSE e.value END AS was,
                   e.expires AS was_until
            FROM unnest(of_apps, of_keys, of_kinds, of_values, of_expiries, of_events, of_times)
                 AS g (app, key, kind, value, expires, events, at)
            LEFT JOIN entries e ON e.app = g.app AND e.key = g.key
        ), changed AS MATERIALIZED (
            SELECT f.app, f.key, f.size, coalesce(f.last, 0) + f.events AS version,
                   CASE f.kind
                       WHEN 'set' THEN f.value
                       WHEN 'increment' THEN log.incremented(f.was, f.value)
                       WHEN 'append' THEN log.appended(f.was, f.value, max_bytes)
                   END AS value,
                   CASE WHEN f.kind <> 'delete' THEN
                       CASE WHEN f.kind = 'set' OR f.was IS NULL THEN f.expires ELSE f.was_until END
                   END AS expires
            FROM found f
        ), put AS (
            INSERT INTO entries AS e (app, key, value, version, expires)
            SELECT c.app, c.key, c.value, c.version, c.expires FROM changed c
            ON CONFLICT (app, key) DO UPDATE
                SET value = excluded.value, version = excluded.version, expires = excluded.expires
        ), more AS (
            SELECT c.app,
                   sum((c.value IS NOT NULL)::integer - (c.size IS NOT NULL)::integer) AS items,
                   sum(CASE WHEN c.value IS NOT NULL THEN octet_length(c.key) + octet_length(c.value) ELSE 0 END
                       - coalesce(c.size, 0)) AS bytes
            FROM changed c
            GROUP BY c.app
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
            PERFORM log.check_quota('kv', used.app, used.items, used.bytes, default_items, default_bytes);
        END IF;
    END LOOP;
END
$$;
