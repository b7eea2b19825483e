-- How far each projection has followed the log, and how far each rebuild has come.
-- The tables that projections fill are not made here: they follow from picloud/projections, which makes them.
-- depends: 0001-event-log

CREATE SCHEMA projections;

-- position is that of the last event folded, and the fence: whoever folds a page moves it from where it was, or stops.
-- A projection that is written by the append itself (the outbox) is always at the head; its position stays 0.
CREATE TABLE projections.tracking (
    name       text        PRIMARY KEY,
    version    integer     NOT NULL,
    position   bigint      NOT NULL DEFAULT 0,
    error      text,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Moves projections from where they were to reached, and keeps everybody else from it until the commit.
-- If one of them is not there any more, it raises serialization_failure: somebody else has moved it.
CREATE FUNCTION projections.advance(names text[], versions integer[], positions bigint[], reached bigint)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
BEGIN
    UPDATE projections.tracking t
    SET position = reached, error = NULL, updated_at = now()
    FROM unnest(names, versions, positions) AS u (name, version, position)
    WHERE t.name = u.name AND t.version = u.version AND t.position = u.position;

    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(names) THEN
        RAISE EXCEPTION 'of the projections %, only % stood at %', names, moved, positions
            USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;

-- What the log doesn't know of a rebuild: how far it has come, and what it found, until that is appended.
CREATE TABLE projections.progress (
    rebuild      uuid        PRIMARY KEY,
    projection   text        NOT NULL,
    phase        text        NOT NULL,
    attempts     integer     NOT NULL DEFAULT 1,
    position     bigint      NOT NULL DEFAULT 0,
    events_done  bigint      NOT NULL DEFAULT 0,
    events_total bigint      NOT NULL DEFAULT 0,
    difference   text,
    reason       text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
