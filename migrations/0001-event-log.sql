-- The event log: one table, one function that appends to it, and the outbox that is written by the same call.
-- depends:

CREATE SCHEMA log;
CREATE SCHEMA outbox;
CREATE SCHEMA kv;

-- Column names of the first five are the eventsourcing library's: stream id and version, type, content, position.
CREATE TABLE log.events (
    originator_id      uuid        NOT NULL,
    originator_version bigint      NOT NULL,
    topic              text        NOT NULL,
    state              bytea       NOT NULL,
    notification_id    bigint      NOT NULL,
    recorded_at        timestamptz NOT NULL,
    app                text        NOT NULL,
    actor              text        NOT NULL,
    correlation_id     uuid        NOT NULL,
    causation_id       uuid        NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.5, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX events_position ON log.events (notification_id);
CREATE INDEX events_app ON log.events (app, notification_id);
CREATE INDEX events_correlation ON log.events (correlation_id, notification_id);

-- Script sources and large bodies, each kept once; events name them by hash.
CREATE TABLE log.contents (
    sha256     bytea       PRIMARY KEY,
    content    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What waits for a run. A row follows from the log alone: see picloud/projections/outbox.py.
-- version is the stream's, attempt the number of the run to come.
CREATE TABLE outbox.pending (
    invocation_id  uuid        PRIMARY KEY,
    version        bigint      NOT NULL,
    attempt        integer     NOT NULL,
    due            timestamptz NOT NULL,
    app            text        NOT NULL,
    correlation_id uuid        NOT NULL
);

CREATE INDEX pending_due ON outbox.pending (due, invocation_id);

-- Keys and values of scripts; the rule of the rows is in picloud/projections/kv.py. A deleted key keeps its version.
CREATE TABLE kv.entries (
    app     text   COLLATE "C" NOT NULL,
    key     text   COLLATE "C" NOT NULL,
    value   text,
    version bigint NOT NULL,
    PRIMARY KEY (app, key)
);

-- Appends events in one round trip and one transaction, with what follows from them inline.
-- Positions have no gaps, and commit order is position order: the advisory lock is held from before the first position
-- is chosen until the commit; times come from the database's clock. A taken (stream, version) raises unique_violation, and nothing of the call is stored.
-- Returns the position of the last event.
CREATE FUNCTION log.append(
    ids          uuid[],
    versions     bigint[],
    topics       text[],
    states       bytea[],
    apps         text[],
    actors       text[],
    correlations uuid[],
    causations   uuid[],
    put_ids          uuid[],
    put_versions     bigint[],
    put_attempts     integer[],
    put_dues         timestamptz[],
    put_apps         text[],
    put_correlations uuid[],
    removed_ids      uuid[],
    kv_apps          text[],
    kv_keys          text[],
    kv_values        text[],
    kv_versions      bigint[],
    channels         text[],
    payloads         text[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    at   timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(7236274001);
    at := clock_timestamp();
    SELECT coalesce(max(notification_id), 0) INTO head FROM log.events;

    INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                            app, actor, correlation_id, causation_id)
    SELECT e.id, e.version, e.topic, e.state, head + e.ordinal, at, e.app, e.actor, e.correlation, e.causation
    FROM unnest(ids, versions, topics, states, apps, actors, correlations, causations)
         WITH ORDINALITY AS e (id, version, topic, state, app, actor, correlation, causation, ordinal);

    IF cardinality(removed_ids) > 0 THEN
        DELETE FROM outbox.pending WHERE invocation_id = ANY (removed_ids);
    END IF;

    IF cardinality(put_ids) > 0 THEN
        INSERT INTO outbox.pending (invocation_id, version, attempt, due, app, correlation_id)
        SELECT p.id, p.version, p.attempt, coalesce(p.due, at), p.app, p.correlation
        FROM unnest(put_ids, put_versions, put_attempts, put_dues, put_apps, put_correlations)
             AS p (id, version, attempt, due, app, correlation);
        NOTIFY picloud_outbox;
    END IF;

    IF cardinality(kv_apps) > 0 THEN
        INSERT INTO kv.entries (app, key, value, version)
        SELECT k.app, k.key, k.value, k.version
        FROM unnest(kv_apps, kv_keys, kv_values, kv_versions) AS k (app, key, value, version)
        ON CONFLICT (app, key) DO UPDATE
            SET value = excluded.value, version = excluded.version;
    END IF;

    NOTIFY picloud_log;
    PERFORM pg_notify(w.channel, w.payload) FROM unnest(channels, payloads) AS w (channel, payload);
    RETURN head + cardinality(ids);
END
$$;

-- Takes up to room due rows out of the outbox and appends a Started for each, oldest due first, in one transaction.
-- The append lock comes first, as everywhere, so that claims and appends can't wait for each other in a circle.
-- The content of Started is written as picloud/log/mapper.py writes it.
CREATE FUNCTION log.claim(node uuid, actor_name text, room integer)
RETURNS TABLE (invocation_id uuid, version bigint, attempt integer, app text, correlation_id uuid)
LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    at   timestamptz;
BEGIN
    -- Without this look a wake-up that finds nothing would queue for the append lock.
    IF NOT EXISTS (SELECT FROM outbox.pending p WHERE p.due <= clock_timestamp()) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7236274001);
    at := clock_timestamp();
    SELECT coalesce(max(notification_id), 0) INTO head FROM log.events;

    RETURN QUERY
    WITH due AS (
        SELECT p.invocation_id
        FROM outbox.pending p
        WHERE p.due <= at
        ORDER BY p.due, p.invocation_id
        LIMIT room
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM outbox.pending p
        USING due
        WHERE p.invocation_id = due.invocation_id
        RETURNING p.invocation_id, p.version + 1 AS version, p.attempt, p.app, p.correlation_id
    ), numbered AS (
        SELECT t.*, row_number() OVER () AS ordinal FROM taken t
    ), started AS (
        INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                                app, actor, correlation_id, causation_id)
        SELECT n.invocation_id, n.version, 'Started',
               convert_to('{"attempt":' || n.attempt || ',"node":"' || node || '"}', 'UTF8'),
               head + n.ordinal, at, n.app, actor_name, n.correlation_id, n.invocation_id
        FROM numbered n
    )
    SELECT n.invocation_id, n.version, n.attempt, n.app, n.correlation_id FROM numbered n;

    IF FOUND THEN
        NOTIFY picloud_log;
    END IF;
END
$$;
