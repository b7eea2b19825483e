-- What waits for more than its due time: ordering keys, limits on concurrency, priorities, throttles, debounces, batches.
-- The rules of the rows are told in picloud/projections/outbox.py; the functions here are what both the append and a
-- rebuild apply. They name the outbox's tables without their schema: a rebuild fills another one.
-- depends: 0002-projections

-- trigger_id is the stream whose limits and pause hold for the row. Of the rows with one ordering_id only the one with
-- the least seq (the position of its request) may run. concurrency_id counts runs. rank is the place in line: what is
-- at or before now may be taken, the least first. A row with neither an ordering nor a concurrency id goes when it is
-- taken; another one stays, in the state 'running', until its invocation has ended.
-- batch is the run that it shares with others; since is when the first of the debounced ones was asked for.
ALTER TABLE outbox.pending
    ADD COLUMN state          text        NOT NULL DEFAULT 'ready',
    ADD COLUMN rank           timestamptz,
    ADD COLUMN seq            bigint      NOT NULL DEFAULT 0,
    ADD COLUMN trigger_id     uuid,
    ADD COLUMN ordering_id    uuid,
    ADD COLUMN concurrency_id uuid,
    ADD COLUMN batch          uuid,
    ADD COLUMN debounce_id    uuid,
    ADD COLUMN since          timestamptz;
UPDATE outbox.pending SET rank = due;
ALTER TABLE outbox.pending
    ALTER COLUMN rank SET NOT NULL,
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN seq DROP DEFAULT;

DROP INDEX outbox.pending_due;
CREATE INDEX pending_ready ON outbox.pending (app, rank, seq, invocation_id) WHERE state = 'ready';
CREATE INDEX pending_batching ON outbox.pending (concurrency_id, rank, seq) WHERE state = 'batching';
CREATE INDEX pending_concurrency ON outbox.pending (concurrency_id, state, rank, seq) WHERE concurrency_id IS NOT NULL;
CREATE INDEX pending_ordering ON outbox.pending (ordering_id, seq) WHERE ordering_id IS NOT NULL;
CREATE INDEX pending_debounce ON outbox.pending (debounce_id) WHERE debounce_id IS NOT NULL;
CREATE INDEX pending_trigger ON outbox.pending (trigger_id, state) WHERE trigger_id IS NOT NULL;

-- What holds for all that a trigger asked for. concurrency is 0 for no limit; holds: while it is paused, rows wait.
CREATE TABLE outbox.limits (
    trigger_id    uuid    PRIMARY KEY,
    concurrency   integer NOT NULL,
    holds         boolean NOT NULL,
    paused        boolean NOT NULL,
    removed       boolean NOT NULL,
    batch         integer NOT NULL,
    batch_wait_ms integer NOT NULL
);
CREATE INDEX limits_batch ON outbox.limits (trigger_id) WHERE batch > 1;

-- When a throttle's next run would be due if there were no burst: GCRA's theoretical arrival time.
CREATE TABLE outbox.throttles (
    id      uuid        PRIMARY KEY,
    free_at timestamptz NOT NULL
);
CREATE INDEX throttles_free ON outbox.throttles (free_at);

-- The time by which the log and the outbox go; tests put another one in its place.
CREATE FUNCTION log.clock()
RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp()
$$;

-- Statistics of the outbox are always late: it may hold a row or a million. So the functions on it use its indexes.

-- Says again which rows may be taken, among those with these ordering and concurrency ids.
-- The first of each ordering id is let forward; of those that are forward, each concurrency id has as many open as it
-- has room for, by rank. Returns whether any row was opened.
CREATE FUNCTION log.settle_outbox(orderings uuid[], concurrencies uuid[])
RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    forward uuid[];
    opened  boolean;
    woken   boolean := false;
    gate    uuid;
    running integer;
    bound   record;
BEGIN
    IF cardinality(orderings) > 0 THEN
        WITH heads AS (
            SELECT h.invocation_id
            FROM (SELECT DISTINCT unnest(orderings) AS id) o
            CROSS JOIN LATERAL (
                SELECT p.invocation_id, p.state
                FROM pending p
                WHERE p.ordering_id = o.id
                ORDER BY p.seq
                LIMIT 1
            ) h
            WHERE h.state = 'waiting'
        ), moved AS (
            UPDATE pending p
            SET state = CASE WHEN p.concurrency_id IS NULL THEN 'ready' ELSE 'queued' END
            FROM heads h
            WHERE p.invocation_id = h.invocation_id
            RETURNING p.concurrency_id
        )
        SELECT array_agg(m.concurrency_id) FILTER (WHERE m.concurrency_id IS NOT NULL),
               coalesce(bool_or(m.concurrency_id IS NULL), false)
        INTO forward, woken
        FROM moved m;
    END IF;

    FOR gate IN
        SELECT DISTINCT g.id FROM unnest(concurrencies || forward) AS g (id) WHERE g.id IS NOT NULL
    LOOP
        SELECT count(DISTINCT coalesce(p.batch, p.invocation_id))
        INTO running
        FROM pending p
        WHERE p.concurrency_id = gate AND p.state = 'running';

        -- A trigger's own id is a key that no other trigger counts in; for other keys each row has its trigger's limit.
        SELECT * INTO bound FROM limits l WHERE l.trigger_id = gate;
        IF FOUND THEN
            WITH line AS (
                (SELECT p.invocation_id, p.state, p.rank, p.seq
                 FROM pending p
                 WHERE p.concurrency_id = gate AND p.state IN ('ready', 'batching'))
                UNION ALL
                (SELECT p.invocation_id, p.state, p.rank, p.seq
                 FROM pending p
                 WHERE p.concurrency_id = gate AND p.state = 'queued'
                 ORDER BY p.rank, p.seq
                 LIMIT CASE WHEN bound.concurrency = 0 THEN NULL ELSE bound.concurrency * bound.batch END)
            ), placed AS (
                SELECT l.invocation_id,
                       CASE WHEN (bound.paused AND bound.holds)
                              OR (bound.concurrency > 0
                                  AND row_number() OVER (ORDER BY l.rank, l.seq)
                                      > (bound.concurrency - running) * bound.batch) THEN 'queued'
                            WHEN bound.batch > 1 THEN 'batching'
                            ELSE 'ready' END AS state
                FROM line l
            ), changed AS (
                UPDATE pending p
                SET state = n.state
                FROM placed n
                WHERE p.invocation_id = n.invocation_id AND p.state <> n.state
                RETURNING p.state
            )
            SELECT coalesce(bool_or(c.state <> 'queued'), false) INTO opened FROM changed c;
        ELSE
            WITH line AS (
                (SELECT p.invocation_id, p.trigger_id, p.rank, p.seq
                 FROM pending p
                 WHERE p.concurrency_id = gate AND p.state = 'ready')
                UNION ALL
                (SELECT p.invocation_id, p.trigger_id, p.rank, p.seq
                 FROM pending p
                 WHERE p.concurrency_id = gate AND p.state = 'queued'
                 ORDER BY p.rank, p.seq
                 LIMIT 1000)
            ), placed AS (
                SELECT n.invocation_id,
                       CASE WHEN (l.paused AND l.holds)
                              OR (l.concurrency > 0
                                  AND running + row_number() OVER (ORDER BY n.rank, n.seq) > l.concurrency) THEN 'queued'
                            ELSE 'ready' END AS state
                FROM line n
                LEFT JOIN limits l ON l.trigger_id = n.trigger_id
            ), changed AS (
                UPDATE pending p
                SET state = n.state
                FROM placed n
                WHERE p.invocation_id = n.invocation_id AND p.state <> n.state
                RETURNING p.state
            )
            SELECT coalesce(bool_or(c.state = 'ready'), false) INTO opened FROM changed c;
        END IF;
        woken := woken OR opened;
    END LOOP;
    RETURN woken;
END
$$;

-- Does to the outbox what a run of events does, in this order: limits, requests with flow control, rows put (back),
-- starts, ends. Positions of requests are head plus offset. Returns whether there may be something new to take, and the
-- invocations that a debounce superseded, with the one that superseded them.
CREATE FUNCTION log.change_outbox(
    at               timestamptz,
    head             bigint,
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
    OUT woken        boolean,
    OUT superseded   jsonb
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    orderings     uuid[] := '{}';
    concurrencies uuid[] := '{}';
    touched       record;
    told          record;
    asked         record;
    arrival       timestamptz;
    began         timestamptz;
    due_at        timestamptz;
BEGIN
    woken := cardinality(put_ids) > 0;

    IF limit_rows IS NOT NULL THEN
        FOR told IN
            SELECT * FROM jsonb_to_recordset(limit_rows)
                AS l (trigger uuid, change text, concurrency integer, holds boolean, batch integer, batch_wait_ms integer)
        LOOP
            IF told.change = 'set' THEN
                INSERT INTO limits AS l (trigger_id, concurrency, holds, paused, removed, batch, batch_wait_ms)
                VALUES (told.trigger, told.concurrency, told.holds, false, false, told.batch, told.batch_wait_ms)
                ON CONFLICT (trigger_id) DO UPDATE
                    SET concurrency = excluded.concurrency, holds = excluded.holds, batch = excluded.batch,
                        batch_wait_ms = excluded.batch_wait_ms, paused = l.paused AND NOT l.removed, removed = false;
            ELSE
                UPDATE limits l
                SET paused = CASE told.change WHEN 'pause' THEN true WHEN 'resume' THEN false ELSE l.paused END,
                    removed = told.change = 'remove'
                WHERE l.trigger_id = told.trigger;
            END IF;
            concurrencies := concurrencies || ARRAY(
                SELECT DISTINCT p.concurrency_id
                FROM pending p
                WHERE p.trigger_id = told.trigger AND p.concurrency_id IS NOT NULL
            );
        END LOOP;
    END IF;

    IF flow_rows IS NOT NULL THEN
        woken := true;
        -- What meets no throttle and no debounce depends on no other row.
        WITH asked AS (
            SELECT f.*, greatest(f.due, f.came) AS due_at
            FROM (
                SELECT r.*, coalesce(r.asked_at, at) AS came
                FROM jsonb_to_recordset(flow_rows) AS r (
                    id uuid, app text, correlation uuid, due timestamptz, asked_at timestamptz, seq_offset bigint,
                    trigger uuid, ordering uuid, concurrency uuid, priority integer, throttle uuid, debounce uuid)
                WHERE r.throttle IS NULL AND r.debounce IS NULL
            ) f
        ), put AS (
            INSERT INTO pending (invocation_id, version, attempt, due, app, correlation_id, state, rank, seq, trigger_id,
                                 ordering_id, concurrency_id)
            SELECT a.id, 1, 1, a.due_at, a.app, a.correlation,
                   CASE WHEN a.ordering IS NOT NULL THEN 'waiting'
                        WHEN a.concurrency IS NOT NULL THEN 'queued'
                        ELSE 'ready' END,
                   CASE WHEN a.due_at > a.came THEN a.due_at ELSE a.due_at - a.priority * interval '10 seconds' END,
                   head + a.seq_offset, a.trigger, a.ordering, a.concurrency
            FROM asked a
            RETURNING ordering_id, concurrency_id
        )
        SELECT array_agg(p.ordering_id) AS o, array_agg(p.concurrency_id) AS c INTO touched FROM put p;
        orderings := orderings || touched.o;
        concurrencies := concurrencies || touched.c;

        FOR asked IN
            SELECT f.*, coalesce(f.asked_at, at) AS came
            FROM jsonb_to_recordset(flow_rows) AS f (
                id uuid, app text, correlation uuid, due timestamptz, asked_at timestamptz, seq_offset bigint,
                trigger uuid, ordering uuid, concurrency uuid, priority integer,
                throttle uuid, every_ms bigint, burst integer, debounce uuid, most_ms bigint)
            WHERE f.throttle IS NOT NULL OR f.debounce IS NOT NULL
        LOOP
            due_at := greatest(asked.due, asked.came);
            began := NULL;
            IF asked.throttle IS NOT NULL AND due_at = asked.came THEN
                DELETE FROM throttles t WHERE t.free_at < asked.came - interval '1 day';
                SELECT t.free_at INTO arrival FROM throttles t WHERE t.id = asked.throttle;
                arrival := greatest(arrival, asked.came);
                due_at := greatest(due_at, arrival - (asked.burst - 1) * asked.every_ms * interval '1 millisecond');
                INSERT INTO throttles (id, free_at)
                VALUES (asked.throttle, arrival + asked.every_ms * interval '1 millisecond')
                ON CONFLICT (id) DO UPDATE SET free_at = excluded.free_at;
            END IF;
            IF asked.debounce IS NOT NULL THEN
                began := asked.came;
                FOR touched IN
                    DELETE FROM pending p
                    WHERE p.debounce_id = asked.debounce AND p.state <> 'running'
                      AND NOT p.invocation_id = ANY (put_ids || started_ids || ended_ids)
                    RETURNING p.invocation_id, p.version, p.app, p.correlation_id, p.since, p.ordering_id, p.concurrency_id
                LOOP
                    began := least(began, touched.since);
                    superseded := coalesce(superseded, '[]') || jsonb_build_object(
                        'id', touched.invocation_id, 'version', touched.version, 'app', touched.app,
                        'correlation', touched.correlation_id, 'cause', asked.id);
                    orderings := orderings || touched.ordering_id;
                    concurrencies := concurrencies || touched.concurrency_id;
                END LOOP;
                IF asked.most_ms > 0 THEN
                    due_at := greatest(least(due_at, began + asked.most_ms * interval '1 millisecond'), asked.came);
                END IF;
            END IF;
            INSERT INTO pending (invocation_id, version, attempt, due, app, correlation_id, state, rank, seq, trigger_id,
                                 ordering_id, concurrency_id, debounce_id, since)
            VALUES (asked.id, 1, 1, due_at, asked.app, asked.correlation,
                    CASE WHEN asked.ordering IS NOT NULL THEN 'waiting'
                         WHEN asked.concurrency IS NOT NULL THEN 'queued'
                         ELSE 'ready' END,
                    CASE WHEN due_at > asked.came THEN due_at
                         ELSE due_at - asked.priority * interval '10 seconds' END,
                    head + asked.seq_offset, asked.trigger, asked.ordering, asked.concurrency, asked.debounce, began);
            orderings := orderings || asked.ordering;
            concurrencies := concurrencies || asked.concurrency;
        END LOOP;
    END IF;

    IF cardinality(put_ids) > 0 THEN
        WITH put AS (
            INSERT INTO pending AS p (invocation_id, version, attempt, due, app, correlation_id, state, rank, seq)
            SELECT u.id, u.version, u.attempt, coalesce(u.due, at), u.app, u.correlation, 'ready', coalesce(u.due, at), 0
            FROM unnest(put_ids, put_versions, put_attempts, put_dues, put_apps, put_correlations)
                 AS u (id, version, attempt, due, app, correlation)
            -- A row that nobody waits for would be gone by now, and be a new one.
            ON CONFLICT (invocation_id) DO UPDATE
                SET version = excluded.version, attempt = excluded.attempt, due = excluded.due, rank = excluded.due,
                    correlation_id = excluded.correlation_id, batch = NULL,
                    state = CASE WHEN p.ordering_id IS NOT NULL THEN 'waiting'
                                 WHEN p.concurrency_id IS NOT NULL THEN 'queued'
                                 ELSE 'ready' END,
                    seq = CASE WHEN coalesce(p.ordering_id, p.concurrency_id) IS NOT NULL THEN p.seq ELSE 0 END,
                    trigger_id = CASE WHEN coalesce(p.ordering_id, p.concurrency_id) IS NOT NULL THEN p.trigger_id END,
                    debounce_id = CASE WHEN coalesce(p.ordering_id, p.concurrency_id) IS NOT NULL THEN p.debounce_id END,
                    since = CASE WHEN coalesce(p.ordering_id, p.concurrency_id) IS NOT NULL THEN p.since END
            RETURNING p.ordering_id, p.concurrency_id
        )
        SELECT array_agg(p.ordering_id) AS o, array_agg(p.concurrency_id) AS c
        INTO touched
        FROM put p
        WHERE p.ordering_id IS NOT NULL OR p.concurrency_id IS NOT NULL;
        orderings := orderings || touched.o;
        concurrencies := concurrencies || touched.c;
    END IF;

    IF cardinality(started_ids) > 0 THEN
        DELETE FROM pending p
        WHERE p.invocation_id = ANY (started_ids) AND p.ordering_id IS NULL AND p.concurrency_id IS NULL;
        WITH run AS (
            UPDATE pending p
            SET state = 'running', batch = s.batch
            FROM unnest(started_ids, started_batches) AS s (id, batch)
            WHERE p.invocation_id = s.id
            RETURNING p.concurrency_id
        )
        SELECT array_agg(r.concurrency_id) AS c INTO touched FROM run r;
        concurrencies := concurrencies || touched.c;
    END IF;

    IF cardinality(ended_ids) > 0 THEN
        WITH ended AS (
            DELETE FROM pending p WHERE p.invocation_id = ANY (ended_ids) RETURNING p.ordering_id, p.concurrency_id
        )
        SELECT array_agg(e.ordering_id) AS o, array_agg(e.concurrency_id) AS c INTO touched FROM ended e;
        orderings := orderings || touched.o;
        concurrencies := concurrencies || touched.c;
    END IF;

    orderings := array_remove(orderings, NULL);
    concurrencies := array_remove(concurrencies, NULL);
    IF cardinality(orderings) > 0 OR cardinality(concurrencies) > 0 THEN
        woken := log.settle_outbox(orderings, concurrencies) OR woken;
    END IF;
END
$$;

DROP FUNCTION log.append(uuid[], bigint[], text[], bytea[], text[], text[], uuid[], uuid[], uuid[], bigint[], integer[],
    timestamptz[], text[], uuid[], uuid[], text[], text[], text[], bigint[], text[], text[]);

-- Appends events in one round trip and one transaction, with what follows from them inline.
-- Positions have no gaps, and commit order is position order: the advisory lock is held from before the first position
-- is chosen until the commit; times come from the database's clock. A taken (stream, version) raises unique_violation,
-- and nothing of the call is stored.
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
    kv_apps          text[],
    kv_keys          text[],
    kv_values        text[],
    kv_versions      bigint[],
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

    INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                            app, actor, correlation_id, causation_id)
    SELECT e.id, e.version, e.topic, e.state, head + e.ordinal, at, e.app, e.actor, e.correlation, e.causation
    FROM unnest(ids, versions, topics, states, apps, actors, correlations, causations)
         WITH ORDINALITY AS e (id, version, topic, state, app, actor, correlation, causation, ordinal);

    IF cardinality(kv_apps) > 0 THEN
        INSERT INTO kv.entries (app, key, value, version)
        SELECT k.app, k.key, k.value, k.version
        FROM unnest(kv_apps, kv_keys, kv_values, kv_versions) AS k (app, key, value, version)
        ON CONFLICT (app, key) DO UPDATE
            SET value = excluded.value, version = excluded.version;
    END IF;

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

-- Seconds until something may be taken, not more than 0 if it may be now; null if nothing waits for a time.
CREATE FUNCTION log.next_due()
RETURNS double precision
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    first timestamptz;
BEGIN
    WITH RECURSIVE apps AS (
        (SELECT p.app, p.rank FROM outbox.pending p WHERE p.state = 'ready' ORDER BY p.app, p.rank LIMIT 1)
        UNION ALL
        SELECT n.app, n.rank
        FROM apps a
        CROSS JOIN LATERAL (
            SELECT p.app, p.rank
            FROM outbox.pending p
            WHERE p.state = 'ready' AND p.app > a.app
            ORDER BY p.app, p.rank
            LIMIT 1
        ) n
    )
    SELECT least(
        (SELECT min(a.rank) FROM apps a),
        (SELECT min(least(
                    (SELECT p.rank + l.batch_wait_ms * interval '1 millisecond'
                     FROM outbox.pending p
                     WHERE p.state = 'batching' AND p.concurrency_id = l.trigger_id
                     ORDER BY p.rank, p.seq
                     LIMIT 1),
                    (SELECT p.rank
                     FROM outbox.pending p
                     WHERE p.state = 'batching' AND p.concurrency_id = l.trigger_id
                     ORDER BY p.rank, p.seq
                     OFFSET l.batch - 1
                     LIMIT 1)))
         FROM outbox.limits l
         WHERE l.batch > 1)
    ) INTO first;
    RETURN extract(epoch FROM first - log.clock());
END
$$;

DROP FUNCTION log.claim(uuid, text, integer);

-- Takes up to room runs out of the outbox and appends a Started for each invocation, in one transaction.
-- The append lock comes first, as everywhere, so that claims and appends can't wait for each other in a circle, and what
-- is seen here is taken by nobody else.
-- Apps take turns: first comes who has the fewest runs going on here (busy), then what waits longest. A full batch, or
-- one whose first message has waited long enough, is one run.
-- The content of Started is written as picloud/log/mapper.py writes it.
CREATE FUNCTION log.claim(node uuid, actor_name text, room integer, busy_apps text[], busy_runs integer[])
RETURNS TABLE (invocation_id uuid, version bigint, attempt integer, app text, correlation_id uuid, batch uuid)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    head    bigint;
    at      timestamptz;
    taken   uuid[];
    batches uuid[];
    gates   uuid[];
BEGIN
    -- Without this look a wake-up that finds nothing would queue for the append lock.
    IF coalesce(log.next_due(), 1) > 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7236274001);
    at := log.clock();
    SELECT coalesce(max(notification_id), 0) INTO head FROM log.events;

    WITH RECURSIVE apps AS (
        (SELECT p.app FROM outbox.pending p WHERE p.state = 'ready' ORDER BY p.app LIMIT 1)
        UNION ALL
        SELECT (SELECT p.app FROM outbox.pending p WHERE p.state = 'ready' AND p.app > a.app ORDER BY p.app LIMIT 1)
        FROM apps a
        WHERE a.app IS NOT NULL
    ), queues AS (
        (SELECT p.concurrency_id AS id
         FROM outbox.pending p
         WHERE p.state = 'batching'
         ORDER BY p.concurrency_id
         LIMIT 1)
        UNION ALL
        SELECT (SELECT p.concurrency_id
                FROM outbox.pending p
                WHERE p.state = 'batching' AND p.concurrency_id > q.id
                ORDER BY p.concurrency_id
                LIMIT 1)
        FROM queues q
        WHERE q.id IS NOT NULL
    ), candidates AS (
        SELECT a.app, s.invocation_id, s.rank, s.seq, NULL::uuid AS queue, 1 AS size
        FROM apps a
        CROSS JOIN LATERAL (
            SELECT p.invocation_id, p.rank, p.seq
            FROM outbox.pending p
            WHERE p.state = 'ready' AND p.app = a.app AND p.rank <= at
            ORDER BY p.rank, p.seq, p.invocation_id
            LIMIT room
        ) s
        UNION ALL
        SELECT f.app, f.invocation_id, f.rank, f.seq, q.id, l.batch
        FROM queues q
        JOIN outbox.limits l ON l.trigger_id = q.id
        CROSS JOIN LATERAL (
            SELECT p.app, p.invocation_id, p.rank, p.seq
            FROM outbox.pending p
            WHERE p.state = 'batching' AND p.concurrency_id = q.id AND p.rank <= at
            ORDER BY p.rank, p.seq
            LIMIT 1
        ) f
        WHERE f.rank + l.batch_wait_ms * interval '1 millisecond' <= at
           OR EXISTS (
               SELECT
               FROM outbox.pending p
               WHERE p.state = 'batching' AND p.concurrency_id = q.id AND p.rank <= at
               OFFSET l.batch - 1
           )
    ), turns AS (
        SELECT c.*,
               coalesce(b.runs, 0) + row_number() OVER (PARTITION BY c.app ORDER BY c.rank, c.seq, c.invocation_id) AS turn
        FROM candidates c
        LEFT JOIN unnest(busy_apps, busy_runs) AS b (app, runs) ON b.app = c.app
    ), chosen AS (
        SELECT t.invocation_id, t.queue, t.size, CASE WHEN t.queue IS NOT NULL THEN gen_random_uuid() END AS batch
        FROM turns t
        ORDER BY t.turn, t.rank, t.seq, t.invocation_id
        LIMIT room
    ), members AS (
        SELECT c.invocation_id, c.batch FROM chosen c WHERE c.queue IS NULL
        UNION ALL
        SELECT m.invocation_id, c.batch
        FROM chosen c
        CROSS JOIN LATERAL (
            SELECT p.invocation_id
            FROM outbox.pending p
            WHERE p.state = 'batching' AND p.concurrency_id = c.queue AND p.rank <= at
            ORDER BY p.rank, p.seq
            LIMIT c.size
        ) m
        WHERE c.queue IS NOT NULL
    )
    SELECT array_agg(m.invocation_id), array_agg(m.batch) INTO taken, batches FROM members m;
    IF taken IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH gone AS (
        DELETE FROM outbox.pending p
        WHERE p.invocation_id = ANY (taken) AND p.ordering_id IS NULL AND p.concurrency_id IS NULL
        RETURNING p.invocation_id, p.version, p.attempt, p.app, p.correlation_id, NULL::uuid AS batch, p.rank, p.seq
    ), running AS (
        UPDATE outbox.pending p
        SET state = 'running', batch = m.batch
        FROM unnest(taken, batches) AS m (id, batch)
        WHERE p.invocation_id = m.id AND (p.ordering_id IS NOT NULL OR p.concurrency_id IS NOT NULL)
        RETURNING p.invocation_id, p.version, p.attempt, p.app, p.correlation_id, p.batch, p.rank, p.seq
    ), numbered AS (
        SELECT t.*, row_number() OVER (ORDER BY t.rank, t.seq, t.invocation_id) AS ordinal
        FROM (SELECT * FROM gone UNION ALL SELECT * FROM running) t
    ), started AS (
        INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, recorded_at,
                                app, actor, correlation_id, causation_id)
        SELECT n.invocation_id, n.version + 1, 'Started',
               convert_to('{"attempt":' || n.attempt || ',"node":"' || node || '"'
                          || coalesce(',"batch":"' || n.batch || '"', '') || '}', 'UTF8'),
               head + n.ordinal, at, n.app, actor_name, n.correlation_id, n.invocation_id
        FROM numbered n
    )
    SELECT n.invocation_id, n.version + 1, n.attempt, n.app, n.correlation_id, n.batch
    FROM numbered n
    ORDER BY n.ordinal;

    NOTIFY picloud_log;
    -- A batch that isn't full leaves less room than its messages had; so may runs that share a key do.
    SELECT array_agg(DISTINCT p.concurrency_id)
    INTO gates
    FROM outbox.pending p
    WHERE p.invocation_id = ANY (taken) AND p.concurrency_id IS NOT NULL;
    IF cardinality(gates) > 0 THEN
        PERFORM set_config('search_path', 'outbox', true);
        PERFORM log.settle_outbox('{}', gates);
    END IF;
END
$$;
