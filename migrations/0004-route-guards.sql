-- What the guards of routes share between all nodes: how often a route was called lately, and who occupies its places.
-- depends: 0001-event-log

CREATE SCHEMA guards;

-- A bucket of a rate limit: full_at is when it is full again if nobody takes from it, in microseconds since 1970.
-- What is full needs no row. After a crash of the database all are full.
CREATE UNLOGGED TABLE guards.buckets (
    id      uuid   PRIMARY KEY,
    full_at bigint NOT NULL
) WITH (fillfactor = 50);

-- Takes one of the count that a bucket gives in period microseconds: so many at once, and then evenly (GCRA).
-- Exact over all nodes: the row's lock puts those who come at once into an order, and the clock is the database's.
-- remaining is how many could be taken now; wait is how long, in microseconds, until one can be taken, if none was;
-- refill is how long until the bucket is full.
CREATE FUNCTION guards.take(bucket uuid, count bigint, period bigint)
RETURNS TABLE (taken boolean, remaining bigint, wait bigint, refill bigint)
LANGUAGE plpgsql AS $$
DECLARE
    step     bigint := period / count;
    capacity bigint := step * count;
    now_us   bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    reached  bigint;
    is_new   boolean;
BEGIN
    INSERT INTO guards.buckets AS b (id, full_at)
    VALUES (bucket, now_us + step)
    ON CONFLICT (id) DO UPDATE
        SET full_at = greatest(b.full_at, now_us) + step
        WHERE greatest(b.full_at, now_us) + step - capacity <= now_us
    RETURNING b.full_at, b.xmax = 0 INTO reached, is_new;

    IF NOT FOUND THEN
        SELECT b.full_at INTO reached FROM guards.buckets b WHERE b.id = bucket;
        reached := coalesce(reached, now_us);
        RETURN QUERY SELECT false, 0::bigint, greatest(1, reached + step - capacity - now_us), reached - now_us;
        RETURN;
    END IF;

    -- Callers who never come back leave rows behind, and only newcomers make the table longer.
    IF is_new AND random() < 0.01 THEN
        DELETE FROM guards.buckets d
        WHERE d.ctid = ANY (ARRAY(
            SELECT b.ctid FROM guards.buckets b WHERE b.full_at < now_us LIMIT 1000 FOR UPDATE SKIP LOCKED
        ));
    END IF;

    RETURN QUERY SELECT true, (capacity - (reached - now_us)) / step, 0::bigint, reached - now_us;
END
$$;

-- Occupies the first free one of places, until the session ends or gives it back; returns it, or null if all are taken.
-- A place is a session's advisory lock: nothing has to be cleaned up behind a process that was killed.
CREATE FUNCTION guards.occupy(places bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    place bigint;
BEGIN
    FOREACH place IN ARRAY places LOOP
        IF pg_try_advisory_lock(place) THEN
            RETURN place;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
