-- Accounts of apps' own users, and the keys that what is personal in them is sealed with.
-- depends: 0005-effects

-- Keys, each sealed by the vault. They are no projection: nothing of them is in the log, so that a key that is destroyed
-- is gone for ever. A key is kept once an account is made with it; others are left over from runs that failed.
CREATE SCHEMA subjects;

CREATE TABLE subjects.keys (
    id     uuid        PRIMARY KEY,
    app    text        COLLATE "C" NOT NULL,
    sealed text        NOT NULL,
    kept   boolean     NOT NULL DEFAULT false,
    made   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX keys_left_over ON subjects.keys (made) WHERE NOT kept;

-- What follows from the log, written by the append.
CREATE SCHEMA users;

CREATE TABLE users.accounts (
    app        text        COLLATE "C" NOT NULL,
    id         uuid        NOT NULL,
    mark       text        COLLATE "C" NOT NULL,
    version    bigint      NOT NULL,
    epoch      bigint      NOT NULL,
    sealed     text        NOT NULL,
    password   text,
    roles      text[]      NOT NULL,
    disabled   boolean     NOT NULL,
    registered timestamptz NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE UNIQUE INDEX accounts_mark ON users.accounts (app, mark);

CREATE TABLE users.sessions (
    app     text        COLLATE "C" NOT NULL,
    id      uuid        NOT NULL,
    user_id uuid        NOT NULL,
    mark    text        COLLATE "C" NOT NULL,
    version bigint      NOT NULL,
    started timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    idle_ms bigint      NOT NULL,
    sealed  text,
    PRIMARY KEY (app, id)
);

CREATE UNIQUE INDEX sessions_mark ON users.sessions (app, mark);
CREATE INDEX sessions_user ON users.sessions (app, user_id, started, id);

CREATE TABLE users.tokens (
    app     text        COLLATE "C" NOT NULL,
    id      uuid        NOT NULL,
    user_id uuid        NOT NULL,
    mark    text        COLLATE "C" NOT NULL,
    name    text        COLLATE "C" NOT NULL,
    issued  timestamptz NOT NULL,
    expires timestamptz,
    PRIMARY KEY (app, id)
);

CREATE UNIQUE INDEX tokens_mark ON users.tokens (app, mark);
CREATE INDEX tokens_user ON users.tokens (app, user_id, issued, id);

CREATE TABLE users.codes (
    app     text        COLLATE "C" NOT NULL,
    user_id uuid        NOT NULL,
    purpose text        COLLATE "C" NOT NULL,
    id      uuid        NOT NULL,
    mark    text        COLLATE "C" NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (app, user_id, purpose)
);

CREATE INDEX codes_id ON users.codes (app, id);

CREATE TABLE users.usage (
    app   text COLLATE "C" NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (app)
);

-- Does to the tables what events do, one step each, in order; a step is an object with the event's fields. The live ones
-- are changed in the commit that appends the events, at its time: there a name that was taken meanwhile and a session
-- for an epoch that is over refuse the append, and a removed account's key goes. Names tables without a schema: see 0003.
CREATE FUNCTION log.change_users(
    store         text,
    live          boolean,
    default_items bigint,
    default_bytes bigint,
    max_sessions  integer,
    steps         jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step   record;
    found_ record;
    now_at timestamptz;
    at     timestamptz;
    ends   boolean;
    grown  text[] := '{}';
    used   record;
BEGIN
    PERFORM set_config('search_path', store, true);
    IF live THEN
        SELECT e.recorded_at INTO now_at FROM log.events e ORDER BY e.notification_id DESC LIMIT 1;
    END IF;
    FOR step IN
        SELECT s.*
        FROM jsonb_to_recordset(steps) AS s (
            does text, app text, id uuid, user_id uuid, epoch bigint, mark text, sealed text, password text, roles text[],
            disabled boolean, rehashed boolean, expires timestamptz, until timestamptz, idle_ms bigint, name text,
            purpose text, at timestamptz)
    LOOP
        at := coalesce(now_at, step.at);
        CASE step.does
        WHEN 'UserRegistered' THEN
            IF live THEN
                PERFORM log.refuse('the name is taken')
                FROM accounts a WHERE a.app = step.app AND a.mark = step.mark;
                UPDATE subjects.keys k SET kept = true WHERE k.id = step.id;
            END IF;
            INSERT INTO accounts (app, id, mark, version, epoch, sealed, password, roles, disabled, registered)
            VALUES (step.app, step.id, step.mark, 1, 1, step.sealed, step.password, step.roles, false, at);
            INSERT INTO usage AS u (app, items, bytes)
            VALUES (step.app, 1, octet_length(step.sealed))
            ON CONFLICT (app) DO UPDATE SET items = u.items + 1, bytes = u.bytes + excluded.bytes;
            grown := grown || step.app;
        WHEN 'UserChanged', 'UserPasswordSet', 'UserSessionsEnded' THEN
            SELECT a.mark, a.sealed, a.disabled INTO found_
            FROM accounts a WHERE a.app = step.app AND a.id = step.id;
            IF NOT FOUND THEN
                CONTINUE;
            END IF;
            IF live AND step.mark IS DISTINCT FROM found_.mark THEN
                PERFORM log.refuse('the name is taken')
                FROM accounts a WHERE a.app = step.app AND a.mark = step.mark AND a.id <> step.id;
            END IF;
            ends := CASE step.does
                WHEN 'UserChanged' THEN coalesce(step.disabled, false) AND NOT found_.disabled
                WHEN 'UserPasswordSet' THEN NOT coalesce(step.rehashed, false)
                ELSE true
            END;
            UPDATE accounts a
            SET mark = coalesce(step.mark, a.mark),
                version = a.version + 1,
                epoch = a.epoch + ends::integer,
                sealed = coalesce(step.sealed, a.sealed),
                password = coalesce(step.password, a.password),
                roles = coalesce(step.roles, a.roles),
                disabled = coalesce(step.disabled, a.disabled)
            WHERE a.app = step.app AND a.id = step.id;
            IF ends THEN
                DELETE FROM sessions s WHERE s.app = step.app AND s.user_id = step.id;
                DELETE FROM codes c WHERE c.app = step.app AND c.user_id = step.id;
            END IF;
            IF step.sealed IS NOT NULL THEN
                UPDATE usage u
                SET bytes = u.bytes + octet_length(step.sealed) - octet_length(found_.sealed)
                WHERE u.app = step.app;
                IF octet_length(step.sealed) > octet_length(found_.sealed) THEN
                    grown := grown || step.app;
                END IF;
            END IF;
        WHEN 'UserRemoved' THEN
            DELETE FROM accounts a WHERE a.app = step.app AND a.id = step.id RETURNING a.sealed INTO found_;
            IF FOUND THEN
                UPDATE usage u
                SET items = u.items - 1, bytes = u.bytes - octet_length(found_.sealed)
                WHERE u.app = step.app;
            END IF;
            DELETE FROM sessions s WHERE s.app = step.app AND s.user_id = step.id;
            DELETE FROM tokens t WHERE t.app = step.app AND t.user_id = step.id;
            DELETE FROM codes c WHERE c.app = step.app AND c.user_id = step.id;
            IF live THEN
                DELETE FROM subjects.keys k WHERE k.id = step.id;
            END IF;
        WHEN 'UserSessionStarted', 'UserCodeIssued' THEN
            PERFORM FROM accounts a
            WHERE a.app = step.app AND a.id = step.user_id AND a.epoch = step.epoch AND NOT a.disabled;
            IF NOT FOUND THEN
                IF live THEN
                    PERFORM log.refuse('the account was changed meanwhile');
                END IF;
                CONTINUE;
            END IF;
            IF step.does = 'UserCodeIssued' THEN
                INSERT INTO codes AS c (app, user_id, purpose, id, mark, expires)
                VALUES (step.app, step.user_id, step.purpose, step.id, step.mark, step.expires)
                ON CONFLICT (app, user_id, purpose) DO UPDATE
                    SET id = excluded.id, mark = excluded.mark, expires = excluded.expires;
                CONTINUE;
            END IF;
            DELETE FROM sessions s
            WHERE s.app = step.app AND s.user_id = step.user_id AND least(s.expires, s.until) <= at;
            DELETE FROM sessions s
            WHERE s.app = step.app AND s.id IN (
                SELECT o.id FROM sessions o
                WHERE o.app = step.app AND o.user_id = step.user_id
                ORDER BY o.started DESC, o.id DESC
                OFFSET max_sessions - 1);
            INSERT INTO sessions (app, id, user_id, mark, version, started, expires, until, idle_ms, sealed)
            VALUES (step.app, step.id, step.user_id, step.mark, 1, at, step.expires, step.until, step.idle_ms, step.sealed);
        WHEN 'UserSessionExtended' THEN
            UPDATE sessions s
            SET until = greatest(s.until, step.until), version = s.version + 1
            WHERE s.app = step.app AND s.id = step.id;
        WHEN 'UserSessionEnded' THEN
            DELETE FROM sessions s WHERE s.app = step.app AND s.id = step.id;
        WHEN 'UserTokenIssued' THEN
            INSERT INTO tokens (app, id, user_id, mark, name, issued, expires)
            SELECT a.app, step.id, a.id, step.mark, step.name, at, step.expires
            FROM accounts a WHERE a.app = step.app AND a.id = step.user_id;
        WHEN 'UserTokenRevoked' THEN
            DELETE FROM tokens t WHERE t.app = step.app AND t.id = step.id;
        WHEN 'UserCodeUsed' THEN
            DELETE FROM codes c WHERE c.app = step.app AND c.id = step.id;
        END CASE;
    END LOOP;
    IF live THEN
        FOR used IN SELECT u.app, u.items, u.bytes FROM usage u WHERE u.app = ANY (grown) LOOP
            PERFORM log.check_quota('users', used.app, used.items, used.bytes, default_items, default_bytes);
        END LOOP;
    END IF;
END
$$;
