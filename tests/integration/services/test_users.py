"""``users::`` against a model: who is let in, by what, and for how long, whatever becomes of the runs."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import gevent
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.domain.message import MessagePublished
from picloud.domain.metadata import Metadata
from picloud.domain.quota import QuotaSet, quota_id
from picloud.log.appender import Appender, EffectRefused, QuotaExceeded, StreamConflict
from picloud.log.appender import Entry as Appended
from picloud.orchestrator.vault import Vault
from picloud.postgres.sessions import Sessions, connect
from picloud.projections.installation import PROJECTIONS
from picloud.projections.progress import read_progress
from picloud.projections.rebuild import Rebuild
from picloud.services.email import Email
from picloud.services.users import SECRET_ARGUMENTS, Users
from picloud.services.work import Caller, Disguised, ServiceError, Work

PASSWORD = "correct horse battery"


class QuickHashing:
    """Hashes that cost nothing: Argon2id is a matter of ``orchestrator/hasher.py``, which has tests of its own."""

    def __init__(self) -> None:
        self.parameters = "quick1"
        self.compared = 0

    @property
    def nobodys(self) -> str:
        return f"{self.parameters}$x$x"

    def hashed(self, password: bytes) -> str:
        salt = secrets.token_hex(4)
        return f"{self.parameters}${salt}${self._digest(salt, password)}"

    def matches(self, password: bytes, kept: str) -> bool:
        self.compared += 1
        _, salt, digest = kept.split("$")
        return self._digest(salt, password) == digest

    def outdated(self, kept: str) -> bool:
        return not kept.startswith(self.parameters)

    def _digest(self, salt: str, password: bytes) -> str:
        return sha256(salt.encode() + password).hexdigest()


class People:
    """An app's users, and runs that deal with them."""

    def __init__(self, users: Users, hashing: QuickHashing, appender: Appender, sessions: Sessions) -> None:
        self.users = users
        self.hashing = hashing
        self.appender = appender
        self.sessions = sessions
        self.app = f"app-{uuid4()}"

    def run(self, *, app: str | None = None, ahead: float = 0) -> Work:
        """A run's work; its clock is so many seconds ahead."""
        clock_ms = int((datetime.now(UTC).timestamp() + ahead) * 1000)
        caller = Caller(
            invocation=uuid4(),
            attempt=1,
            title="demo/x",
            callers=(),
            correlation_id=uuid4(),
            clock_ms=clock_ms,
            deadline_ms=clock_ms + 10_000,
        )
        return Work(app or self.app, caller)

    def call(self, work: Work, function: str, *args: Any) -> Any:
        """What a script is answered."""
        answer = self.users.functions[function](work, *args)
        return answer.value if isinstance(answer, Disguised) else answer

    def commit(self, work: Work) -> None:
        """The run succeeds."""
        metadata = Metadata(work.app, "test", uuid4(), uuid4())
        outcome = MessagePublished(originator_id=uuid4(), originator_version=1, topic="ended")
        self.appender.append(Appended(event, metadata) for event in [*work.effects(), outcome])

    def done(self, function: str, *args: Any, ahead: float = 0) -> Any:
        """What a run is answered that does one thing and succeeds."""
        work = self.run(ahead=ahead)
        answer = self.call(work, function, *args)
        self.commit(work)
        return answer

    def seen(self, function: str, *args: Any, ahead: float = 0) -> Any:
        """What a run is answered that comes to nothing."""
        return self.call(self.run(ahead=ahead), function, *args)


@pytest.fixture(scope="module")
def parts(dsn: str) -> Iterator[tuple[Users, QuickHashing, Appender, Sessions]]:
    appender, sessions = Appender(dsn), Sessions(dsn, purpose="test", size=8)
    appender.start()
    with TemporaryDirectory(prefix="picloud-test-") as folder:
        key = Path(folder) / "vault.key"
        key.write_text(b64encode(secrets.token_bytes(32)).decode())
        hashing = QuickHashing()
        email = Email(sessions, sender="", local=True, per_day=1_000)
        yield Users(sessions, Vault(key), hashing, email.send), hashing, appender, sessions
    appender.stop()
    sessions.close()


@pytest.fixture
def people(parts: tuple[Users, QuickHashing, Appender, Sessions]) -> People:
    parts[1].parameters = "quick1"
    return People(*parts)


@pytest.fixture
def session(dsn: str) -> Iterator[psycopg.Connection]:
    with connect(dsn, purpose="test") as connection:
        yield connection


NAMES = st.sampled_from(["ada", "ben", "Ada "])
PASSWORDS = st.sampled_from(["first of all", "second best"])
NUMBERS = st.integers(0, 5)
CALLS = st.one_of(
    st.tuples(st.just("register"), NAMES, PASSWORDS),
    st.tuples(st.just("verify"), NAMES, PASSWORDS),
    st.tuples(st.just("sign_in"), NAMES, PASSWORDS),
    st.tuples(st.just("session"), NUMBERS),
    st.tuples(st.just("sign_out"), NUMBERS),
    st.tuples(st.just("sessions"), NAMES),
    st.tuples(st.just("end_sessions"), NAMES),
    st.tuples(st.just("rename"), NAMES, st.sampled_from(["cyd", "ben"])),
    st.tuples(st.just("describe"), NAMES, st.dictionaries(st.sampled_from("ab"), st.one_of(st.none(), NUMBERS))),
    st.tuples(st.just("disable"), NAMES, st.booleans()),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("set_password"), NAMES, PASSWORDS),
    st.tuples(st.just("create_token"), NAMES),
    st.tuples(st.just("token"), NUMBERS),
    st.tuples(st.just("revoke_token"), NAMES),
    st.tuples(st.just("code"), NAMES),
    st.tuples(st.just("verify_code"), NAMES, NUMBERS),
    st.tuples(st.just("list")),
)


@dataclass
class Someone:
    """A user as the model has one."""

    id: str
    name: str
    password: str
    data: dict[str, Any] = field(default_factory=dict)
    disabled: bool = False


@dataclass
class Model:
    """Who there is, and what opens what. ``tries`` and ``sent`` are kept apart: they count at once."""

    users: dict[str, Someone] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Someone | None:
        return next((each for each in self.users.values() if folded(each.name) == folded(name)), None)

    def end_all(self, user: str) -> None:
        self.sessions = {token: owner for token, owner in self.sessions.items() if owner != user}
        self.codes.pop(user, None)


def folded(name: str) -> str:
    return name.strip().casefold()


class Drill:
    """Does to the service what is done to the model, and compares."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.committed = Model()
        self.tokens: list[str] = []
        self.codes: list[str] = []
        self.tries: dict[tuple[str, str], int] = {}

    def play(self, calls: list[tuple[Any, ...]], succeeds: bool) -> None:
        work, model = self.people.run(), deepcopy(self.committed)
        for function, *args in calls:
            getattr(self, f"_{function}")(work, model, *args)
        if succeeds:
            self.people.commit(work)
            self.committed = model

    def _may_try(self, what: str, name: str, most: int) -> bool:
        tries = self.tries.get((what, folded(name)), 0)
        self.tries[what, folded(name)] = min(tries + 1, most)
        return tries < most

    def _refused(self, work: Work, function: str, *args: Any) -> None:
        with pytest.raises(ServiceError) as refused:
            self.people.call(work, function, *args)
        assert refused.value.thrown["status"] == 429
        assert refused.value.thrown["retry_after"] > 0

    def _register(self, work: Work, model: Model, name: str, password: str) -> None:
        found = self.people.call(work, "register", name, password)
        if model.named(name) is not None:
            assert found is None
        else:
            model.users[found["id"]] = Someone(found["id"], name.strip(), password)

    def _proven(self, work: Work, model: Model, function: str, name: str, password: str) -> Any:
        if not self._may_try("passwords", name, 10):
            self._refused(work, function, name, password)
            return None
        found = self.people.call(work, function, name, password)
        someone = model.named(name)
        right = someone is not None and someone.password == password and not someone.disabled
        assert (found is not None) == right
        if right:
            self.tries["passwords", folded(name)] = 0
        return found

    def _verify(self, work: Work, model: Model, name: str, password: str) -> None:
        found = self._proven(work, model, "verify", name, password)
        assert found is None or found["id"] in model.users

    def _sign_in(self, work: Work, model: Model, name: str, password: str) -> None:
        found = self._proven(work, model, "sign_in", name, password)
        if found is not None:
            model.sessions[found["token"]] = found["user"]["id"]
            self.tokens.append(found["token"])

    def _session(self, work: Work, model: Model, number: int) -> None:
        token = self._token_of(number)
        found = self.people.call(work, "session", token)
        owner = model.sessions.get(token)
        assert (found["id"] if found is not None else None) == owner

    def _sign_out(self, work: Work, model: Model, number: int) -> None:
        token = self._token_of(number)
        assert self.people.call(work, "sign_out", token) == (token in model.sessions)
        model.sessions.pop(token, None)

    def _sessions(self, work: Work, model: Model, name: str) -> None:
        someone = model.named(name)
        if someone is not None:
            expected = sum(owner == someone.id for owner in model.sessions.values())
            assert len(self.people.call(work, "sessions", someone.id)) == expected

    def _end_sessions(self, work: Work, model: Model, name: str) -> None:
        someone = model.named(name)
        if someone is not None:
            expected = sum(owner == someone.id for owner in model.sessions.values())
            assert self.people.call(work, "end_sessions", someone.id) == expected
            model.end_all(someone.id)

    def _rename(self, work: Work, model: Model, name: str, other: str) -> None:
        someone = model.named(name)
        if someone is None:
            return
        holder = model.named(other)
        if holder is not None and holder is not someone:
            with pytest.raises(ServiceError, match="somebody else has that name"):
                self.people.call(work, "update", someone.id, {"name": other})
        else:
            assert self.people.call(work, "update", someone.id, {"name": other})["name"] == other
            someone.name = other

    def _describe(self, work: Work, model: Model, name: str, data: dict[str, Any]) -> None:
        someone = model.named(name)
        if someone is not None:
            merged = {key: value for key, value in (someone.data | data).items() if value is not None}
            assert self.people.call(work, "update", someone.id, {"data": data})["data"] == merged
            someone.data = merged

    def _disable(self, work: Work, model: Model, name: str, disabled: bool) -> None:
        someone = model.named(name)
        if someone is not None:
            self.people.call(work, "update", someone.id, {"disabled": disabled})
            if disabled and not someone.disabled:
                model.end_all(someone.id)
            someone.disabled = disabled

    def _delete(self, work: Work, model: Model, name: str) -> None:
        someone = model.named(name)
        assert self.people.call(work, "delete", someone.id if someone is not None else str(uuid4())) == bool(someone)
        if someone is not None:
            model.end_all(someone.id)
            model.tokens = {token: owner for token, owner in model.tokens.items() if owner != someone.id}
            del model.users[someone.id]

    def _set_password(self, work: Work, model: Model, name: str, password: str) -> None:
        someone = model.named(name)
        if someone is not None:
            self.people.call(work, "set_password", someone.id, password)
            someone.password = password
            model.end_all(someone.id)

    def _create_token(self, work: Work, model: Model, name: str) -> None:
        someone = model.named(name)
        if someone is not None:
            token = self.people.call(work, "create_token", someone.id)["token"]
            model.tokens[token] = someone.id
            self.tokens.append(token)

    def _token(self, work: Work, model: Model, number: int) -> None:
        token = self._token_of(number)
        found = self.people.call(work, "token", f"Bearer {token}")
        owner = model.users.get(model.tokens.get(token, ""))
        expected = owner.id if owner is not None and not owner.disabled else None
        assert (found["id"] if found is not None else None) == expected

    def _revoke_token(self, work: Work, model: Model, name: str) -> None:
        someone = model.named(name)
        if someone is None:
            return
        own = [token for token, owner in model.tokens.items() if owner == someone.id]
        listed = self.people.call(work, "tokens", someone.id)
        assert len(listed) == len(own)
        if own:
            assert self.people.call(work, "revoke_token", someone.id, listed[0]["id"])
            gone = [token for token in own if self.people.call(work, "token", token) is None]
            if not someone.disabled:
                assert len(gone) == 1
                del model.tokens[gone[0]]
            else:
                # Which one it was can't be seen: none of them opens anything.
                for token in own:
                    del model.tokens[token]
                for token in self.people.call(work, "tokens", someone.id):
                    self.people.call(work, "revoke_token", someone.id, token["id"])

    def _code(self, work: Work, model: Model, name: str) -> None:
        if not self._may_try("sent", name, 5):
            self._refused(work, "code", name)
            return
        found = self.people.call(work, "code", name)
        someone = model.named(name)
        assert (found is not None) == (someone is not None and not someone.disabled)
        if found is not None:
            model.codes[found["user"]["id"]] = found["code"]
            self.codes.append(found["code"])

    def _verify_code(self, work: Work, model: Model, name: str, number: int) -> None:
        code = self.codes[-1 - number % len(self.codes)] if self.codes else "000000"
        if not self._may_try("codes", name, 5):
            self._refused(work, "verify_code", name, code)
            return
        found = self.people.call(work, "verify_code", name, code)
        someone = model.named(name)
        right = someone is not None and not someone.disabled and model.codes.get(someone.id) == code
        assert (found is not None) == right
        if someone is not None and right:
            del model.codes[someone.id]
            self.tries["codes", folded(name)] = 0

    def _list(self, work: Work, model: Model) -> None:
        shown = self.people.call(work, "list")["users"]
        assert {user["id"]: (user["name"], user["data"], user["disabled"]) for user in shown} == {
            each.id: (each.name, each.data, each.disabled) for each in model.users.values()
        }

    def _token_of(self, number: int) -> str:
        return self.tokens[-1 - number % len(self.tokens)] if self.tokens else "us_none"


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(CALLS, max_size=8), st.booleans()), max_size=6))
def test_whatever_runs_do_the_same_are_let_in_as_by_the_model(
    parts: tuple[Users, QuickHashing, Appender, Sessions], runs: list[tuple[list[tuple[Any, ...]], bool]]
) -> None:
    drill = Drill(People(*parts))
    # Most of what can go wrong needs somebody who is there.
    drill.play([("register", "ada", "first of all"), ("sign_in", "ada", "first of all")], succeeds=True)
    for calls, succeeds in runs:
        drill.play(calls, succeeds)
    drill.play([("list",), *(("session", number) for number in range(6)), ("sessions", "ada")], succeeds=False)
    with parts[3].session() as connection:
        counted = connection.execute(
            "SELECT coalesce(sum(items), 0) FROM users.usage WHERE app = %s", (drill.people.app,)
        ).fetchone()
    assert counted == (len(drill.committed.users),)


def test_of_two_who_register_a_name_at_once_one_gets_it(people: People) -> None:
    one, other = people.run(), people.run()
    assert people.call(one, "register", "ada", PASSWORD)
    assert people.call(other, "register", "ADA", PASSWORD)
    people.commit(one)
    with pytest.raises(EffectRefused, match="the name is taken"):
        people.commit(other)
    assert people.seen("register", "ada", PASSWORD) is None


def test_many_who_register_names_at_once_end_with_each_name_once(people: People) -> None:
    def client(number: int) -> int:
        work = people.run()
        made = people.call(work, "register", f"user {number % 5}", PASSWORD)
        try:
            people.commit(work)
        except EffectRefused:
            return 0
        return int(made is not None)

    clients = [gevent.spawn(client, number) for number in range(30)]
    gevent.joinall(clients, raise_error=True)
    assert sum(each.value for each in clients) == 5
    assert len(people.seen("list")["users"]) == 5


@pytest.mark.parametrize("change", ["set_password", "end_sessions", "disable"])
def test_who_signs_in_while_the_account_is_changed_gets_no_session(people: People, change: str) -> None:
    user = people.done("register", "ada", PASSWORD)
    slow, quick = people.run(), people.run()
    assert people.call(slow, "sign_in", "ada", PASSWORD)
    if change == "set_password":
        people.call(quick, "set_password", user["id"], "another one for her")
    elif change == "disable":
        people.call(quick, "update", user["id"], {"disabled": True})
    else:
        people.call(quick, "end_sessions", user["id"])
    people.commit(quick)
    with pytest.raises(EffectRefused, match="changed meanwhile"):
        people.commit(slow)
    assert people.seen("sessions", user["id"]) == []


def test_a_code_is_right_for_one_of_two_who_use_it_at_once(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    code = people.done("code", "ada")["code"]
    one, other = people.run(), people.run()
    assert people.call(one, "verify_code", "ada", code)
    assert people.call(other, "verify_code", "ada", code)
    people.commit(one)
    with pytest.raises(StreamConflict):
        people.commit(other)
    assert people.seen("verify_code", "ada", code) is None


def test_two_who_change_one_user_do_not_overwrite_each_other(people: People) -> None:
    user = people.done("register", "ada", PASSWORD)
    one, other = people.run(), people.run()
    people.call(one, "update", user["id"], {"roles": ["a"]})
    people.call(other, "update", user["id"], {"data": {"b": 1}})
    people.commit(one)
    with pytest.raises(StreamConflict):
        people.commit(other)


def test_ten_guesses_are_taken_however_many_runs_try_at_once_and_whatever_becomes_of_them(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    refused: list[dict[str, Any]] = []

    def client(number: int) -> None:
        try:
            assert people.seen("verify", "ada", f"guess number {number}") is None
        except ServiceError as error:
            refused.append(error.thrown)

    gevent.joinall([gevent.spawn(client, number) for number in range(40)], raise_error=True)
    assert len(refused) == 30
    assert {(thrown["status"], thrown["headers"]["retry-after"]) for thrown in refused} == {(429, "60")}
    with pytest.raises(ServiceError, match="too many tries"):
        people.seen("verify", "ADA ", PASSWORD)
    with pytest.raises(ServiceError, match="too many tries"):
        people.seen("sign_in", "ada", PASSWORD)
    assert people.done("code", "ada"), "codes are counted apart"


def test_an_address_is_counted_whatever_the_names(people: People) -> None:
    for number in range(100):
        assert people.seen("verify", f"name {number}", PASSWORD, {"address": "203.0.113.7"}) is None
    with pytest.raises(ServiceError, match="tries of an address"):
        people.seen("verify", "somebody else", PASSWORD, {"address": "203.0.113.7"})
    assert people.seen("verify", "somebody else", PASSWORD, {"address": "203.0.113.8"}) is None


def test_a_run_that_is_repeated_has_guessed_once(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    first = people.run()
    for _ in range(9):
        people.call(first, "verify", "ada", "wrong again")
    again = Work(people.app, first.caller, careful=True, outside=first.outside.again())
    for _ in range(9):
        people.call(again, "verify", "ada", "wrong again")
    assert people.seen("verify", "ada", PASSWORD)


def test_a_session_ends_at_its_time_and_when_it_is_not_used(people: People) -> None:
    user = people.done("register", "ada", PASSWORD)
    token = people.done("sign_in", "ada", PASSWORD, {"lifetime": "10h", "idle": "1h"})["token"]
    assert people.seen("session", token, ahead=3_500)["id"] == user["id"]
    assert people.seen("session", token, ahead=3_700) is None
    barely = people.run(ahead=300)
    people.call(barely, "session", token)
    assert barely.effects() == [], "a tenth of the idle time is not over"
    for hour in range(1, 11):
        assert people.done("session", token, ahead=hour * 3_500), f"it was used {hour} times"
    assert people.done("session", token, ahead=9.9 * 3_600)
    assert people.seen("session", token, ahead=10.1 * 3_600) is None, "the lifetime is over"
    assert people.seen("sessions", user["id"], ahead=10.1 * 3_600) == []


def test_a_user_has_so_many_sessions_and_the_oldest_goes(people: People) -> None:
    user = people.done("register", "ada", PASSWORD)
    tokens = [people.done("start_session", user["id"], {"about": f"{number}"})["token"] for number in range(101)]
    listed = people.seen("sessions", user["id"])
    assert [each["about"] for each in listed] == [f"{number}" for number in range(1, 101)]
    assert people.seen("session", tokens[0]) is None
    assert people.seen("session", tokens[-1])


def test_a_hash_with_old_parameters_is_made_anew_at_the_next_sign_in(people: People) -> None:
    user = people.done("register", "ada", PASSWORD)
    token = people.done("start_session", user["id"])["token"]
    people.hashing.parameters = "quick2"
    work = people.run()
    assert people.call(work, "verify", "ada", PASSWORD)
    assert [type(event).__name__ for event in work.effects()] == ["UserPasswordSet"]
    people.commit(work)
    assert people.seen("session", token), "the password is the same: no session ends"
    again = people.run()
    assert people.call(again, "verify", "ada", PASSWORD)
    assert again.effects() == []


def test_whoever_is_not_let_in_costs_one_hash_whatever_the_reason(people: People) -> None:
    people.done("register", "wrong", PASSWORD)
    people.done("register", "no password", None)
    people.done("update", people.done("register", "disabled", PASSWORD), {"disabled": True})
    for name, password in [
        ("nobody", PASSWORD),
        ("wrong", "not the one"),
        ("wrong", ""),
        ("no password", PASSWORD),
        ("disabled", PASSWORD),
    ]:
        before = people.hashing.compared
        assert people.seen("verify", name, password) is None
        assert people.hashing.compared == before + 1, f"{name} can be told from others by the time it takes"


def test_a_password_is_the_same_however_the_keyboard_writes_it(people: People) -> None:
    people.done("register", "ada", "pa\u0308sswo\u0308rter")
    assert people.seen("verify", "ada", "p\u00e4ssw\u00f6rter")


def test_who_has_no_password_signs_in_by_codes_alone(people: People) -> None:
    people.done("register", "ada", None)
    for password in ("", "x" * 8, "()", "None"):
        assert people.seen("verify", "ada", password) is None
    assert people.seen("verify_code", "ada", people.done("code", "ada", {"link": True})["code"])


def test_a_code_is_for_its_purpose_and_its_time_and_the_last_one_counts(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    first = people.done("code", "ada", {"purpose": "reset", "link": True})["code"]
    second = people.done("code", "ada", {"purpose": "reset", "link": True, "lifetime": "10m"})["code"]
    assert people.seen("verify_code", "ada", first, {"purpose": "reset"}) is None
    assert people.seen("verify_code", "ada", second) is None
    assert people.seen("verify_code", "ada", second, {"purpose": "reset"}, ahead=601) is None
    assert people.seen("verify_code", "ada", f" {second}\n", {"purpose": "reset"})


def test_a_code_goes_by_mail_to_who_has_the_name_and_to_nobody_else(people: People) -> None:
    people.done("register", "Ada@Example.org", PASSWORD)
    mail = {"purpose": "reset", "subject": "Your code", "text": "It is {code}.", "html": "<b>{code}</b>"}
    work = people.run()
    assert people.call(work, "send_code", "ada@example.org", mail) is None
    (content,) = work.contents
    (queued,) = [event for event in work.effects() if type(event).__name__ == "MailQueued"]
    assert (queued.recipients, queued.subject) == (["Ada@example.org"], "Your code")
    people.commit(work)
    (code,) = set(re.findall(rb"\b(\d{6})\b", content.split(b"It is", 1)[1]))
    assert people.seen("verify_code", "ada@example.org", code.decode(), {"purpose": "reset"})
    other = people.run()
    assert people.call(other, "send_code", "ben@example.org", mail) is None
    assert (other.effects(), other.contents) == ([], [])


def test_no_app_sees_the_users_of_another(people: People) -> None:
    user = people.done("register", "ada", PASSWORD)
    held = people.done("sign_in", "ada", PASSWORD)
    token = people.done("create_token", user["id"])
    code = people.done("code", "ada")["code"]
    other = people.run(app=f"other-{uuid4()}")
    asked: list[tuple[Any, ...]] = [
        ("get", user["id"]),
        ("get", user),
        ("find", "ada"),
        ("verify", "ada", PASSWORD),
        ("sign_in", "ada", PASSWORD),
        ("session", held["token"]),
        ("token", token["token"]),
        ("verify_code", "ada", code),
        ("code", "ada"),
    ]
    assert [people.call(other, *call) for call in asked] == [None] * len(asked)
    assert people.call(other, "list", {"cursor": str(UUID(int=1))})["users"] == []
    assert not people.call(other, "sign_out", held["token"])
    assert not people.call(other, "delete", user["id"])
    assert not people.call(other, "has_role", user, "admin")
    for function, *args in [
        ("update", {"disabled": True}),
        ("set_password", "x" * 20),
        ("start_session",),
        ("sessions",),
        ("end_session", held["session"]),
        ("end_sessions",),
        ("create_token",),
        ("tokens",),
        ("revoke_token", token["id"]),
    ]:
        with pytest.raises(ServiceError, match="there is no user with the id"):
            people.call(other, function, user["id"], *args)
    mate = people.call(other, "register", "ada", PASSWORD)
    assert not people.call(other, "end_session", mate, held["session"])
    assert not people.call(other, "revoke_token", mate, token["id"])
    people.commit(other)
    assert people.seen("session", held["token"])["id"] == user["id"]


def test_nobody_ends_the_session_of_another_user(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    ben = people.done("register", "ben", PASSWORD)
    held = people.done("sign_in", "ada", PASSWORD)
    assert not people.done("end_session", ben["id"], held["session"])
    assert people.seen("session", held["token"])


def test_what_is_kept_of_who_was_deleted_cannot_be_read_any_more(people: People, session: psycopg.Connection) -> None:
    user = people.done("register", "ada", PASSWORD, {"data": {"diary": "of no concern to others"}})
    keys = "SELECT count(*) FROM subjects.keys WHERE id = %s"
    assert session.execute(keys, (user["id"],)).fetchone() == (1,)
    failed = people.run()
    people.call(failed, "delete", user["id"])
    assert session.execute(keys, (user["id"],)).fetchone() == (1,), "the run has not succeeded"
    assert people.done("delete", user["id"])
    assert session.execute(keys, (user["id"],)).fetchone() == (0,)
    again = people.done("register", "ada", PASSWORD)
    assert again["id"] != user["id"]
    assert again["data"] == {}


def test_nothing_secret_and_nothing_personal_stands_in_the_database(
    people: People, session: psycopg.Connection
) -> None:
    name, password, other = "grace.hopper@example.org", "quite-unmistakable-1", "quite-unmistakable-2"
    user = people.done("register", name, password, {"data": {"city": "Arlington-unmistakable"}})
    held = people.done("sign_in", name, password, {"about": "browser-unmistakable"})
    people.seen("verify", name, "quite-unmistakable-3")
    people.done("set_password", user["id"], other)
    held_too = people.done("sign_in", name, other)
    token = people.done("create_token", user["id"])["token"]
    codes = [people.done("code", name)["code"], people.done("code", name, {"link": True})["code"]]
    people.done("update", user["id"], {"data": {"street": "street-unmistakable"}})
    secret = [password, other, held["token"], held_too["token"], token, codes[1], "unmistakable", name, "hopper"]
    assert everything_in(session, secret) == {}
    marks = session.execute("SELECT mark FROM users.codes WHERE app = %s", (people.app,)).fetchall()
    guessed = {sha256(text.encode()).hexdigest() for text in (codes[0], codes[1], f"{user['id']}{codes[0]}")}
    assert not guessed & {mark for (mark,) in marks}, "six digits are found in no time unless the digest has a key"


def everything_in(session: psycopg.Connection, texts: list[str]) -> dict[str, str]:
    """The tables in which one of the texts stands, whatever the column."""
    tables = session.execute(
        "SELECT schemaname, relname FROM pg_stat_user_tables WHERE schemaname NOT LIKE 'pg%'"
    ).fetchall()
    found = {}
    for schema, table in tables:
        for (row,) in session.execute(f"SELECT t::text FROM {schema}.{table} t".encode()).fetchall():
            read = row + "".join(
                bytes.fromhex(part).decode("utf-8", "replace") for part in hex_parts(row) if len(part) % 2 == 0
            )
            for text in texts:
                if text in read:
                    found[f"{schema}.{table}"] = text
    return found


def hex_parts(row: str) -> list[str]:
    """What PostgreSQL shows of bytes in a row."""
    parts = []
    for piece in row.split("\\x")[1:]:
        digits = "".join(character for character in piece[: piece.find('"')] if character in "0123456789abcdef")
        parts.append(digits)
    return parts


def test_records_keep_what_stands_for_a_secret_and_not_the_secret(people: People) -> None:
    users = people.users
    hidden = users.as_kept(people.app, "verify", ["ada", PASSWORD])
    assert hidden[0] == "ada"
    assert hidden[1].startswith("hidden:")
    assert users.as_kept(people.app, "verify", hidden) == hidden, "what is hidden stays as it is"
    assert users.as_kept(people.app, "verify", ["ada", PASSWORD + "!"]) != hidden
    assert users.as_kept(f"{people.app}x", "verify", ["ada", PASSWORD]) != hidden
    assert users.as_kept(people.app, "session", [None]) == [None]
    assert users.as_kept(people.app, "verify", ["ada", {"password": PASSWORD}]) == ["ada", "hidden:unknown"]
    assert set(SECRET_ARGUMENTS) <= set(users.functions)


def test_what_goes_beyond_the_quota_is_refused_whole(people: People) -> None:
    quota = QuotaSet(originator_id=quota_id(people.app), originator_version=1, service="users", items=1)
    people.appender.append([Appended(quota, Metadata(people.app, "test", uuid4(), uuid4()))])
    people.done("register", "ada", PASSWORD)
    work = people.run()
    people.call(work, "register", "ben", PASSWORD)
    with pytest.raises(QuotaExceeded, match="2 items of at most 1"):
        people.commit(work)
    assert people.seen("find", "ben") is None
    ada = people.seen("find", "ada")
    swapped = people.run()
    people.call(swapped, "delete", ada)
    people.call(swapped, "register", "ben", PASSWORD)
    people.commit(swapped)


def test_pages_go_on_where_the_last_one_ended(people: People) -> None:
    work = people.run()
    for number in range(25):
        people.call(work, "register", f"user {number}", None, {"roles": ["even"] if number % 2 == 0 else []})
    people.commit(work)

    def names(**options: Any) -> list[str]:
        found: list[str] = []
        page = people.seen("list", {"limit": 4, **options})
        while True:
            found += [user["name"] for user in page["users"]]
            if page["cursor"] is None:
                return found
            page = people.seen("list", {"limit": 4, "cursor": page["cursor"], **options})

    # Those of one millisecond may come in any order.
    assert sorted(names()) == sorted(f"user {number}" for number in range(25))
    assert sorted(names(role="even")) == sorted(f"user {number}" for number in range(0, 25, 2))


@pytest.mark.parametrize(
    ("function", "args", "told"),
    [
        ("register", [7, PASSWORD], "users::register takes the name as a string, not i64"),
        ("register", ["", PASSWORD], "a name has 1 to 320 characters and no control characters, this one has 0"),
        ("register", ["x" * 321, PASSWORD], "this one has 321"),
        ("register", ["a\0b", PASSWORD], "no control characters"),
        ("register", ["ada", 12345678], "takes the password as a string, not i64"),
        ("register", ["ada", "seven77"], "a password has 8 to 1024 characters, this one has 7"),
        ("register", ["ada", "x" * 1025], "this one has 1025"),
        ("register", ["ada", "Password123"], "one of those that are tried first"),
        ("register", ["ada lovelace", "Ada Lovelace"], "one of those that are tried first"),
        ("register", ["ada", "aaaaaaaaaaaa"], "one of those that are tried first"),
        ("register", ["ada", PASSWORD, {"role": ["x"]}], "has no option 'role': did you mean 'roles'?"),
        ("register", ["ada", PASSWORD, {"roles": "admin"}], "roles is an array of 32 strings at most, not string"),
        ("register", ["ada", PASSWORD, {"roles": ["Not A Role"]}], "'Not A Role' can't be a role"),
        ("register", ["ada", PASSWORD, {"roles": [f"r{n}" for n in range(33)]}], "32 strings at most"),
        ("register", ["ada", PASSWORD, {"data": {"x": b""}}], "the data can't be stored as JSON"),
        ("register", ["ada", PASSWORD, {"data": {"x": "y" * 17_000}}], "16,384 bytes at most as JSON"),
        ("get", [7], "takes the id of a user as a string, not i64"),
        ("find", [None], "takes the name as a string, not ()"),
        ("list", [{"limit": 0}], "limit is from 1 to 200, not 0"),
        ("list", [{"cursor": "x"}], "the cursor 'x' is none that users::list gave"),
        ("list", [{"role": "A B"}], "can't be a role"),
        ("update", ["x", {"disabled": True}], "there is no user with the id 'x'"),
        ("update", [str(UUID(int=0)), None], "takes what is to be changed as a map, not ()"),
        ("update", [str(UUID(int=0)), {"password": "x"}], "has no option 'password'"),
        ("update", [str(UUID(int=0)), {"disabled": 1}], "disabled is true or false, not i64"),
        ("delete", [[]], "takes the id of a user as a string, not array"),
        ("set_password", [str(UUID(int=0)), PASSWORD], "there is no user with the id"),
        ("verify", ["ada", None], "takes the password as a string, not ()"),
        ("verify", ["ada", PASSWORD, {"address": 1}], "address is a string, not i64"),
        ("verify", ["ada", PASSWORD, {"address": "x" * 101}], "address has 100 characters at most"),
        ("sign_in", ["ada", PASSWORD, {"lifetime": "soon"}], "'soon' is no duration"),
        ("sign_in", ["ada", PASSWORD, {"idle": "400d"}], "expected 1s to 366d"),
        ("sign_in", ["ada", PASSWORD, {"about": "x" * 501}], "500 characters at most"),
        ("start_session", ["nobody"], "there is no user with the id 'nobody'"),
        ("session", [5], "takes the token as a string, not i64"),
        ("sign_out", [{}], "takes the token as a string, not map"),
        ("token", [True], "takes the token as a string, not bool"),
        ("sessions", [None], "takes the id of a user as a string, not ()"),
        ("end_session", [str(UUID(int=0)), 1], "there is no user"),
        ("create_token", [str(UUID(int=0)), {"name": 1}], "name is a string, not i64"),
        ("code", ["ada", {"purpose": ""}], "a purpose is 1 to 63 printable characters"),
        ("code", ["ada", {"lifetime": "2d"}], "expected 1s to 1d"),
        ("code", ["ada", {"link": 1}], "link is true or false, not i64"),
        ("send_code", ["ada@example.org", {"subject": "x"}], "takes a subject and a text, or html"),
        ("send_code", ["ada@example.org", {"text": "{code}"}], "takes a subject and a text, or html"),
        ("send_code", ["ada@example.org", {"subject": "x", "text": "code"}], "say {code} where the code is to be"),
        ("send_code", ["ada", {"subject": "x", "text": "{code}"}], "users::send_code: "),
        ("send_code", ["ada@example.org", {"to": "x@example.org"}], "has no option 'to'"),
        ("verify_code", ["ada", 123456], "takes the code as a string, not i64"),
        ("has_role", [{"id": "x"}, 5], "takes the role as a string, not i64"),
        ("has_role", [5, "admin"], "takes the id of a user as a string, not i64"),
    ],
)
def test_bad_arguments_are_refused_in_words(people: People, function: str, args: list[Any], told: str) -> None:
    with pytest.raises(ServiceError) as refused:
        people.seen(function, *args)
    assert told in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_what_is_no_password_of_anybody_is_wrong_and_not_refused(people: People) -> None:
    people.done("register", "ada", PASSWORD)
    for password in ("", "x" * 5_000, "\ud800", "nul\0", PASSWORD.upper()):
        assert people.seen("verify", "ada", password) is None
    for name in ("", "x" * 5_000, "\ud800", "nul\0"):
        assert people.seen("verify", name, PASSWORD) is None


def test_the_rows_are_those_that_the_log_makes(people: People, dsn: str, session: psycopg.Connection) -> None:
    """Behind all that the other tests have done."""
    people.done("register", "ada", PASSWORD)
    people.done("sign_in", "ada", PASSWORD)
    stream = uuid4()
    Rebuild(dsn, stream, PROJECTIONS["users"], verify=True).run()
    progress = read_progress(session, stream)
    assert progress is not None
    assert (progress.phase, progress.difference) == ("swapped", None)
    assert people.seen("verify", "ada", PASSWORD)
