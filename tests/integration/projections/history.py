"""A random but seeded past: what people and nodes might have done, decided by the domain, as entries to append."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain import lifecycle, replay_job
from picloud.domain import mail as mails
from picloud.domain import trigger as triggers
from picloud.domain.access import AccessToken
from picloud.domain.app import App
from picloud.domain.collection import CollectionConfigured, Index
from picloud.domain.document import (
    DocumentDeleted,
    DocumentEvent,
    DocumentInserted,
    DocumentPatched,
    DocumentReplaced,
    stream_of,
)
from picloud.domain.egress import Allowed, Egress
from picloud.domain.errors import DomainError
from picloud.domain.file import FileDeleted, FileWritten, file_id
from picloud.domain.firing import Order, Target
from picloud.domain.flow import FlowControl
from picloud.domain.invocation import (
    Content,
    EventInput,
    Failure,
    HttpInput,
    Invocation,
    InvocationEvent,
    LogLine,
    Reply,
    Requested,
    RetryPolicy,
    RunError,
    SecretRead,
    State,
    Stretch,
    Trigger,
    Usage,
    Wait,
    WaitedFor,
)
from picloud.domain.kv import KeyAppended, KeyDeleted, KeyEvent, KeyIncremented, KeyWritten, key_id
from picloud.domain.mail import Mail, MailQueued, Tried
from picloud.domain.message import MessagePublished
from picloud.domain.metadata import Metadata
from picloud.domain.node import NodeLost, NodeStarted, NodeStopped
from picloud.domain.quota import QuotaSet, quota_id
from picloud.domain.rate import Rate
from picloud.domain.reaction import ReactionSkipped, reaction_id
from picloud.domain.rebuild import RebuildFailed, RebuildFinished, RebuildRequested
from picloud.domain.replay_job import Chosen, Counts, ReplayJob, ReplayOrder, Skip, replay_id
from picloud.domain.retention import purge
from picloud.domain.route import Pattern, Route
from picloud.domain.route_auth import GITHUB, Auth, Credential, Scheme
from picloud.domain.route_settings import Cors, RateLimit, RouteSettings
from picloud.domain.script import Pin, Script
from picloud.domain.secret import Resealed, Secret
from picloud.domain.setting import Kind, Setting
from picloud.domain.site import SiteConfigured, SiteDeployed, SiteRemoved, SiteSettings, site_id
from picloud.domain.tick import TickSkipped, due_text, tick_id
from picloud.domain.trigger import Delivery
from picloud.domain.users import (
    UserChanged,
    UserCodeIssued,
    UserCodeUsed,
    UserEvent,
    UserPasswordSet,
    UserRegistered,
    UserRemoved,
    UserSessionEnded,
    UserSessionExtended,
    UserSessionsEnded,
    UserSessionStarted,
    UserTokenIssued,
    UserTokenRevoked,
)
from picloud.log.appender import Appender, Entry
from picloud.log.repository import collect
from picloud.projections.outbox import stands_alone
from tests.databases import HASHES

APPS = ("demo", "shop", "a-very-long-name-for-an-app-but-still-one")
SCRIPTS = ("hello", "todo", "hook")
PATTERNS = ("GET /hello/{name}", "POST /todo", "ANY /files/{path...}", "DELETE /todo/{id}", "GET /")
KEY_NAMES = ("TOKEN", "db.password", "rate")
TOPICS = ("orders.new", "orders.eu.new", "users")
KINDS = ("cron", "topic", "queue", "dead_letter", "log")
TEXTS = ("plain", "ünïcödé ☃ 𝕏", "tab\tand\nnewline", "zero\x00byte", '{braces},"quotes"\\back', "", "x" * 500)
START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Person:
    """A user of an app as the history knows them; ``owned`` are sessions, tokens and codes, with what ends each."""

    id: UUID
    app: str
    version: int = 1
    epoch: int = 1
    disabled: bool = False
    owned: list[tuple[UUID, type]] = field(default_factory=list)


@dataclass
class History:
    """Makes one command after the other. ``commands`` yields what one append is to hold."""

    seed: int
    random: random.Random = field(init=False)
    now: datetime = START
    apps: dict[str, App] = field(default_factory=dict)
    scripts: dict[tuple[str, str], Script] = field(default_factory=dict)
    routes: dict[UUID, Route] = field(default_factory=dict)
    tokens: list[AccessToken] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    nodes: dict[UUID, int] = field(default_factory=dict)
    known_triggers: dict[UUID, triggers.Trigger] = field(default_factory=dict)
    ticks: int = 0
    reacted: set[UUID] = field(default_factory=set)
    keys: dict[UUID, int] = field(default_factory=dict)
    secrets: dict[tuple[str, str], Secret] = field(default_factory=dict)
    settings: dict[tuple[str, str], Setting] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    documents: set[UUID] = field(default_factory=set)
    rebuilds: list[UUID] = field(default_factory=list)
    jobs: dict[UUID, ReplayJob] = field(default_factory=dict)
    mails: dict[UUID, tuple[str, Mail]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def commands(self, count: int) -> Iterator[list[Entry]]:
        """``count`` commands that the domain accepted."""
        kinds = [
            self._app,
            self._script,
            self._route,
            self._trigger,
            self._trigger,
            self._trigger,
            self._trigger,
            self._tick,
            self._message,
            self._message,
            self._message,
            self._token,
            self._node,
            self._key,
            self._secret,
            self._secret,
            self._setting,
            self._quota,
            self._user,
            self._user,
            self._of_user,
            self._of_user,
            self._file,
            self._file,
            self._site,
            self._document,
            self._document,
            self._collection,
            self._rebuild,
            self._purge,
            self._reaction,
            self._replay_job,
            self._replay_job,
            self._mail,
            self._mail,
        ]
        made = 0
        while made < count:
            self.now += timedelta(milliseconds=self.random.randrange(1, 5_000))
            kind = self._invocation if self.random.random() < 0.7 else self.random.choice(kinds)
            try:
                entries = kind()
            except DomainError:
                continue
            if entries:
                made += 1
                yield entries

    def append_to(self, appender: Appender, count: int) -> int:
        """Append ``count`` commands, a random number of them in each transaction; return the last position.

        What goes on with a request is never in one transaction with it if the request had to find its place in line,
        and no run changes a key in several ways.
        """
        position, waiting = 0, 0
        entries: list[Entry] = []
        for command in self.commands(count):
            placed = {
                entry.event.originator_id
                for entry in entries
                if stands_alone(entry.event) or isinstance(entry.event, KeyEvent)
            }
            if any(entry.event.originator_id in placed for entry in command):
                position, entries = appender.append(entries), []
            entries += command
            waiting -= 1
            if waiting <= 0:
                position = appender.append(entries)
                entries, waiting = [], self.random.randrange(1, 30)
        return appender.append(entries) if entries else position

    def new_id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def text(self) -> str:
        return self.random.choice(TEXTS)

    def _metadata(self, app: str) -> Metadata:
        return Metadata(app, f"token:{self.random.choice(('ci', 'ada'))}", self.new_id(), self.new_id())

    def _collect(self, app: str, *aggregates: Aggregate) -> list[Entry]:
        return collect(aggregates, self._metadata(app))

    def _app(self) -> list[Entry]:
        name = self.random.choice(APPS)
        app = self.apps.get(name)
        if app is None:
            app = self.apps[name] = App.create(name, at=self.now)
        elif app.removed:
            app.restore(at=self.now)
        elif self.random.random() < 0.4:
            allowed = (Allowed("10.0.0.0/8", private=True),) if self.random.random() < 0.7 else ()
            app.let_out(Egress(self.random.random() < 0.3, allowed), at=self.now)
        else:
            app.remove(at=self.now)
        return self._collect(name, app)

    def _script(self) -> list[Entry]:
        key = self.random.choice(APPS), self.random.choice(SCRIPTS)
        script = self.scripts.get(key)
        if script is None:
            script = Script.create(*key, at=self.now)
        for _ in range(self.random.randrange(1, 4)):
            match self.random.randrange(8):
                case 0:
                    script.roll_back(self.random.randrange(1, 4), at=self.now)
                case 1:
                    script.disable("because", at=self.now)
                case 2:
                    script.enable(at=self.now)
                case 3:
                    script.remove(at=self.now)
                case _:
                    sha256, size = f"{self.random.getrandbits(256):064x}", self.random.randrange(10_000)
                    imported = SCRIPTS[: int(sha256[0], 16) % len(SCRIPTS)]
                    pins = {other: Pin(number=1, sha256=sha256) for other in imported}
                    script.deploy(sha256, size, imports=pins, at=self.now)
        self.scripts[key] = script
        return self._collect(key[0], script)

    def _route(self) -> list[Entry]:
        app, pattern = self.random.choice(APPS), Pattern.parse(self.random.choice(PATTERNS))
        script, durability = self.random.choice(SCRIPTS), self.random.choice(("outbox", "outcome"))
        route = self.routes.get(Route.id_of(app, pattern))
        if route is None:
            route = Route.add(app, pattern, script, durability=durability, at=self.now)
            self.routes[route.id] = route
        elif self.random.random() < 0.5:
            route.remove(at=self.now)
        else:
            route.point(pattern, script, durability=durability, at=self.now, takeover=True)
            route.configure(_settings(route.version), at=self.now)
        return self._collect(app, route)

    def _trigger(self) -> list[Entry]:
        app, name = self.random.choice(APPS), self.random.choice(SCRIPTS)
        trigger = self.known_triggers.get(triggers.Trigger.id_of(app, name))
        kind = trigger.kind if trigger is not None and not trigger.removed else self.random.choice(KINDS)
        configs: dict[str, dict[str, Any]] = {
            "topic": {"topic": "orders.*"},
            "queue": {"batch": self.random.randrange(1, 4)},
            "cron": {"cron": f"{self.random.randrange(60)} 3 * * *"},
            "dead_letter": {"script": self.random.choice(("", *SCRIPTS))},
            "log": {"events": self.random.choice(("*", "Script*"))},
        }
        told: dict[str, Any] = {
            "kind": kind,
            "script": self.random.choice(SCRIPTS),
            "config": configs[kind],
            "delivery": Delivery(retry=RetryPolicy(attempts=self.random.randrange(1, 9)), flow=self._flow_control()),
            "at": self.now,
        }
        if trigger is None:
            trigger = triggers.Trigger.create(app, name, **told)
            self.known_triggers[trigger.id] = trigger
            return self._collect(app, trigger)
        match self.random.randrange(4):
            case 0:
                trigger.pause(self.text(), at=self.now)
            case 1:
                trigger.resume(at=self.now)
            case 2:
                trigger.remove(at=self.now)
            case _:
                trigger.change(**told)
        return self._collect(app, trigger)

    def _flow_control(self) -> FlowControl:
        throttled = self.random.random() < 0.4
        debounced = not throttled and self.random.random() < 0.4
        return FlowControl(
            concurrency=self.random.randrange(4),
            concurrency_key=self.random.choice(("trigger", "trigger", "app", "script", "data.customer")),
            ordering_key=self.random.choice(("", "", "topic", "data.customer")),
            priority=self.random.randrange(10),
            throttle=2 if throttled else 0,
            throttle_ms=50 if throttled else 0,
            throttle_key="data.customer",
            debounce_ms=self.random.choice((1, 60_000)) if debounced else 0,
            debounce_most_ms=self.random.choice((0, 60_000)),
            debounce_key="data.customer",
        )

    def _message(self) -> list[Entry]:
        """What a topic or a queue asks for."""
        asking = [each for each in self.known_triggers.values() if each.kind != "cron" and not each.removed]
        if not asking:
            return []
        trigger = self.random.choice(asking)
        target = _target(trigger, trigger.kind)
        data = Content(text=f'{{"customer":{self.random.randrange(3)},"n":{self.random.randrange(3)}}}')
        if self.random.random() < 0.5:
            published = MessagePublished(
                originator_id=self.new_id(), originator_version=1, topic=self.random.choice(TOPICS), data=data
            )
            return [Entry(published, self._metadata(trigger.app))]
        event = EventInput({"topic": "orders.new"}, data)
        order = Order(
            due=self.now + timedelta(seconds=self.random.randrange(60)) if self.random.random() < 0.2 else None,
            ordering_key=self.random.choice(("", "a", "b")),
        )
        return self._asked(target.request(self.new_id(), event, now=self.now, order=order))

    def _asked(self, requested: Requested) -> list[Entry]:
        if requested.flow is not None and requested.flow.debounce is not None:
            # Another one may take its place, and then it can't go on.
            return [Entry(requested, self._metadata(requested.app))]
        return self._evolve(lifecycle.evolve(None, requested), [], first=requested)

    def _tick(self) -> list[Entry]:
        if not self.known_triggers:
            return []
        trigger = self.random.choice(list(self.known_triggers.values()))
        self.ticks += 1
        due = START + timedelta(seconds=self.ticks)
        if self.random.random() < 0.5:
            skipped = TickSkipped(
                originator_id=tick_id(trigger.id, due),
                originator_version=1,
                trigger=trigger.id,
                due=due,
                reason=self.text(),
            )
            return [Entry(skipped, self._metadata(trigger.app))]
        requested = _target(trigger, "cron").request(
            tick_id(trigger.id, due), EventInput({"due": due_text(due)}), now=self.now
        )
        return self._asked(requested)

    def _reaction(self) -> list[Entry]:
        """To a death, as a dead_letter trigger owes it perhaps; of each at most one."""
        dead = [each for each in self.invocations if each.state is State.DEAD and each.id not in self.reacted]
        watching = [each for each in self.known_triggers.values() if each.kind == "dead_letter"]
        if not dead or not watching:
            return []
        died, trigger = self.random.choice(dead), self.random.choice(watching)
        self.reacted.add(died.id)
        stream = reaction_id(trigger.id, died.id, died.version)
        if self.random.random() < 0.5:
            skipped = ReactionSkipped(
                originator_id=stream,
                originator_version=1,
                trigger=trigger.id,
                stream=died.id,
                version=died.version,
                reason=self.text(),
            )
            return [Entry(skipped, self._metadata(trigger.app))]
        requested = _target(trigger, trigger.kind).request(stream, EventInput(), now=self.now)
        return self._asked(requested)

    def _token(self) -> list[Entry]:
        if self.tokens and self.random.random() < 0.4:
            token = self.random.choice(self.tokens)
            token.revoke(at=self.now)
        else:
            apps = self.random.sample(APPS, self.random.randrange(3))
            sha256 = f"{self.random.getrandbits(256):064x}"
            token = AccessToken.issue(
                self.new_id(), 'ci, "own" {x}', role="editor", apps=apps, sha256=sha256, at=self.now
            )
            self.tokens.append(token)
        return self._collect("", token)

    def _node(self) -> list[Entry]:
        live = [node for node, version in self.nodes.items() if version == 1]
        if len(live) < 3:
            node = self.new_id()
            self.nodes[node] = 1
            started = NodeStarted(originator_id=node, originator_version=1, host="pi\x00", pid=77, capacity=16)
            return [Entry(started, self._metadata(""))]
        node = self.random.choice(live)
        self.nodes[node] = 2
        if self.random.random() < 0.5:
            return [Entry(NodeStopped(originator_id=node, originator_version=2), self._metadata(""))]
        return [Entry(NodeLost(originator_id=node, originator_version=2, given_back=3), self._metadata(""))]

    def _key(self) -> list[Entry]:
        app, key = self.random.choice(APPS), self.random.choice("abcde")
        stream = key_id(app, key)
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        head = {"originator_id": stream, "originator_version": version, "key": key}
        expires = self.random.choice([None, None, self.now + timedelta(days=365), datetime(2020, 1, 1, tzinfo=UTC)])
        event: KeyEvent
        if self.random.random() < 0.2:
            event = KeyDeleted(**head)
        elif key == "c":
            event = KeyIncremented(**head, by=self.random.randrange(-9, 9), expires=expires)
        elif key == "d":
            event = KeyAppended(**head, items=self.random.choice(["1", '"x","y"', "[2]"]), expires=expires)
        else:
            event = KeyWritten(**head, value=f"{self.random.random()}", expires=expires)
        return [Entry(event, self._metadata(app))]

    def _quota(self) -> list[Entry]:
        app = self.random.choice(APPS)
        stream = quota_id(app)
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        # Far beyond what a history takes.
        items = self.random.choice([None, 10**6, 10**7])
        quota = QuotaSet(originator_id=stream, originator_version=version, service="kv", items=items)
        return [Entry(quota, self._metadata(app))]

    def _secret(self) -> list[Entry]:
        key = self.random.choice(APPS), self.random.choice(KEY_NAMES)
        secret = self.secrets.get(key) or Secret.create(*key, at=self.now)
        for _ in range(self.random.randrange(1, 4)):
            match self.random.randrange(10):
                case 0:
                    secret.remove(at=self.now)
                case 1:
                    secret.expire(at=self.now)
                case 2 if secret.versions:
                    kept = secret.versions[: self.random.randrange(1, 4)]
                    secret.reseal([Resealed(each.number, self._sealed(), "0" * 12) for each in kept], at=self.now)
                case _:
                    grace = timedelta(days=self.random.choice((0, 1, 30)))
                    secret.set(self._sealed(), f"{self.random.getrandbits(48):012x}", grace=grace, at=self.now)
        self.secrets[key] = secret
        return self._collect(key[0], secret)

    def _sealed(self) -> str:
        return f"v1.{self.random.choice(('0a1b2c3d4e5f', 'ffffffffffff'))}.{self.random.getrandbits(64):x}"

    def _setting(self) -> list[Entry]:
        key = self.random.choice(APPS), self.random.choice(KEY_NAMES)
        setting = self.settings.get(key) or Setting.create(*key, at=self.now)
        if self.random.random() < 0.2:
            setting.remove(at=self.now)
        else:
            value: Any = self.random.choice((self.text(), 7, 0.5, True, [1, None], {"a": self.text()}))
            setting.set(value, Kind.of(value), at=self.now)
        self.settings[key] = setting
        return self._collect(key[0], setting)

    def _reads(self) -> list[SecretRead]:
        names = self.random.sample(KEY_NAMES, self.random.choice((0, 0, 0, 1, 2)))
        return [SecretRead(name, self.random.randrange(1, 9), self.random.randrange(1, 4)) for name in names]

    def _user(self) -> list[Entry]:
        """An account is made, changed or removed."""
        if len(self.people) < 6 or self.random.random() < 0.3:
            person = Person(self.new_id(), self.random.choice(APPS))
            self.people.append(person)
            registered = UserRegistered(
                originator_id=person.id,
                originator_version=1,
                mark=person.id.hex,
                sealed="x" * self.random.randrange(9, 99),
                roles=["admin"],
            )
            return [Entry(registered, self._metadata(person.app))]
        person = self.random.choice(self.people)
        person.version += 1
        head = {"originator_id": person.id, "originator_version": person.version}
        event: UserEvent
        match self.random.randrange(7):
            case 0 | 1:
                event = UserChanged(**head, sealed="y" * self.random.randrange(9, 99), roles=["b", "a,{}"])
            case 2:
                event = UserChanged(**head, mark=f"{person.id.hex} {person.version}")
            case 3:
                person.epoch += not person.disabled
                person.disabled = not person.disabled
                event = UserChanged(**head, disabled=person.disabled)
            case 4:
                rehashed = self.random.random() < 0.5
                person.epoch += not rehashed
                event = UserPasswordSet(**head, password="sealed", rehashed=rehashed)
            case 5:
                person.epoch += 1
                event = UserSessionsEnded(**head)
            case _:
                self.people.remove(person)
                event = UserRemoved(**head)
        return [Entry(event, self._metadata(person.app))]

    def _of_user(self) -> list[Entry]:
        """Something of an account's begins or ends."""
        if not self.people:
            return self._user()
        person = self.random.choice(self.people)
        head: dict[str, Any] = {"originator_id": self.new_id(), "originator_version": 1, "user": person.id}
        event: UserEvent
        if person.owned and self.random.random() < 0.4:
            stream, ends = person.owned.pop(self.random.randrange(len(person.owned)))
            head = {"originator_id": stream, "originator_version": 2}
            if ends is UserSessionExtended:
                event = UserSessionExtended(**head, until=self.now + timedelta(days=self.random.randrange(9)))
            else:
                event = ends(**head)
            return [Entry(event, self._metadata(person.app))]
        head["mark"] = head["originator_id"].hex
        expires = self.now + timedelta(days=self.random.choice([1, 365]))
        kind = self.random.randrange(4)
        if kind == 0 or person.disabled:
            event = UserTokenIssued(**head, name="ci", expires=self.random.choice([None, expires]))
            person.owned.append((event.originator_id, UserTokenRevoked))
        elif kind == 1:
            purpose = self.random.choice(["sign-in", "reset"])
            event = UserCodeIssued(**head, epoch=person.epoch, purpose=purpose, expires=expires)
            person.owned.append((event.originator_id, UserCodeUsed))
        else:
            event = UserSessionStarted(
                **head, epoch=person.epoch, expires=expires, until=expires, idle_ms=1_000, sealed="z"
            )
            person.owned.append((event.originator_id, self.random.choice([UserSessionEnded, UserSessionExtended])))
        return [Entry(event, self._metadata(person.app))]

    def _file(self) -> list[Entry]:
        app, path = self.random.choice(APPS), self.random.choice(("a", "a/b", "site/ü.html", "z"))
        stream = file_id(app, path)
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        head: dict[str, Any] = {"originator_id": stream, "originator_version": version, "path": path}
        if self.random.random() < 0.3:
            return [Entry(FileDeleted(**head), self._metadata(app))]
        written = FileWritten(
            **head,
            sha256=self.random.choice(HASHES),
            size=self.random.randrange(10_000),
            content_type="text/html",
            metadata=self.random.choice(({}, {"by": "ada"}, {"said": "ünïcödé"})),
        )
        return [Entry(written, self._metadata(app))]

    def _site(self) -> list[Entry]:
        app = self.random.choice(APPS)
        stream = site_id(app)
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        head: dict[str, Any] = {"originator_id": stream, "originator_version": version}
        match self.random.randrange(4):
            case 0:
                return [Entry(SiteRemoved(**head), self._metadata(app))]
            case 1:
                done = SiteDeployed(**head, files=self.random.randrange(9), bytes=version, written=1, deleted=0)
                return [Entry(done, self._metadata(app))]
            case _:
                settings = SiteSettings(prefix=self.random.choice(("", "site/")))
                return [Entry(SiteConfigured(**head, settings=settings), self._metadata(app))]

    def _document(self) -> list[Entry]:
        app, collection, document = (self.random.choice(names) for names in (APPS, ("orders", "people"), "abcde"))
        stream = stream_of(app, collection, document)
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        head = {"originator_id": stream, "originator_version": version, "collection": collection, "document": document}
        data = self.random.choice(['{"total":1e+300}', '{"total":-0.0,"name":"ö\'\\\\"}', "{}", '{"tags":[1,null]}'])
        event: DocumentEvent
        if stream not in self.documents:
            event = DocumentInserted(**head, data=data)
            self.documents.add(stream)
        elif self.random.random() < 0.4:
            event = DocumentDeleted(**head)
            self.documents.remove(stream)
        elif self.random.random() < 0.5:
            event = DocumentPatched(**head, patch="{}", data=data)
        else:
            event = DocumentReplaced(**head, data=data)
        return [Entry(event, self._metadata(app))]

    def _collection(self) -> list[Entry]:
        app, collection = self.random.choice(APPS), self.random.choice(["orders", "empty"])
        stream = stream_of(app, collection, "settings")
        version = self.keys[stream] = self.keys.get(stream, 0) + 1
        indexes = self.random.choice([[], [Index(("total",))], [Index(("name", "tags.0"))]])
        configured = CollectionConfigured(
            originator_id=stream,
            originator_version=version,
            collection=collection,
            indexes=indexes,
            schema=self.random.choice([None, "{}"]),
        )
        return [Entry(configured, self._metadata(app))]

    def _rebuild(self) -> list[Entry]:
        if not self.rebuilds:
            self.rebuilds.append(self.new_id())
            asked = RebuildRequested(
                originator_id=self.rebuilds[0], originator_version=1, projection="catalog", verify=True
            )
            return [Entry(asked, self._metadata(""))]
        stream = self.rebuilds.pop()
        if self.random.random() < 0.5:
            failed = RebuildFailed(originator_id=stream, originator_version=2, reason=self.text())
            return [Entry(failed, self._metadata(""))]
        finished = RebuildFinished(
            originator_id=stream,
            originator_version=2,
            position=9,
            events=9,
            seconds=0.123456789,
            difference=self.text(),
        )
        return [Entry(finished, self._metadata(""))]

    def _purge(self) -> list[Entry]:
        """Of all letters so far, or of none: the times of deaths are the database's."""
        app = self.random.choice(APPS)
        year = 2200 if self.random.random() < 0.1 else 2000
        before = START.replace(year=year) + timedelta(microseconds=self.random.getrandbits(40))
        return [Entry(purge(app, before=before, count=3), self._metadata(app))]

    def _mail(self) -> list[Entry]:
        """Queue a mail, or do to one whatever it allows."""
        if not self.mails or self.random.random() < 0.3:
            app = self.random.choice(APPS)
            event: Any = MailQueued(
                originator_id=self.new_id(),
                originator_version=1,
                invocation=self.new_id(),
                script="hello",
                sender="shop@example.org",
                recipients=[f"{name}@example.org" for name in ("ada", "bob", "jürgen")],
                subject=self.text(),
                content=f"{self.random.getrandbits(256):064x}",
                size=self.random.randrange(10_000),
                international=True,
            )
            mail = mails.evolve(None, event, self.now)
        else:
            app, mail = self.random.choice(list(self.mails.values()))
            event = self._change_of_mail(mail)
            mail = mails.evolve(mail, event, self.now)
        self.mails[event.originator_id] = app, mail
        return [Entry(event, self._metadata(app))]

    def _change_of_mail(self, mail: Mail) -> Any:
        do = self.random.choice(("try", "try", "keep", "cancel", "requeue"))
        if do == "cancel":
            return mails.cancel(mail, self.text())
        if do == "requeue" or mail.state != "queued":
            return mails.requeue(mail)
        if do == "keep":
            return mails.keep(mail)
        fates = {address: self.random.choice(("delivered", "refused", "waiting")) for address in mail.waiting}
        tried = Tried(
            code=self.random.choice((0, 250, 450, 550)),
            text=self.text(),
            delivered=[address for address, fate in fates.items() if fate == "delivered"],
            refused={address: self.text() for address, fate in fates.items() if fate == "refused"},
        )
        now = self.now + timedelta(days=self.random.choice((0, 0, 3)))
        return mails.settle(mail, tried, now=now, random=self.random.random())

    def _replay_job(self) -> list[Entry]:
        """Begin a job, or do to one whatever it allows; one that is running asks for replays more often than not."""
        open_jobs = [job for job in self.jobs.values() if job.state not in ("finished", "aborted")]
        if len(open_jobs) < 2:
            chosen = Chosen(script=self.random.choice((None, "hello")), state="open", text=self.text())
            order = ReplayOrder(
                app=self.random.choice(APPS),
                name=f"job-{len(self.jobs)}",
                chosen=chosen,
                rate=self.random.choice((None, Rate(50, 1_000))),
            )
            started = replay_job.start(order, selection="ab" * 32, count=self.random.randrange(1, 9))
            return self._of_job(None, started)
        job = self.random.choice(open_jobs)
        match self.random.randrange(12):
            case 0:
                return self._of_job(job, replay_job.pause(job, self.text()))
            case 1 | 2 | 3:
                return self._of_job(job, replay_job.resume(job))
            case 4:
                return self._of_job(job, replay_job.abort(job, self.text()))
            case 5 | 6:
                return self._of_job(job, replay_job.finish(job, Counts(asked=job.asked)))
        reached = self.random.randrange(job.reached, job.started.count) + 1 if job.reached < job.started.count else 0
        skipped = [Skip(self.new_id(), self.text()) for _ in range(job.reached, reached) if self.random.random() < 0.3]
        advanced = replay_job.advance(job, reached, skipped)
        entries: list[Entry] = []
        metadata = Metadata(job.started.app, "replay:job", self.new_id(), job.id)
        for number in range(job.reached, reached - len(skipped)):
            of_app = [each for each in self.invocations if each.requested.app == job.started.app]
            ended = [state for state in of_app if state.ended]
            if ended:
                entries += self._replay(ended, replay_id(job.id, number), metadata)
        return entries + self._of_job(job, advanced)

    def _of_job(self, job: ReplayJob | None, event: Any) -> list[Entry]:
        changed = replay_job.evolve(job, event)
        self.jobs[changed.id] = changed
        return [Entry(event, self._metadata(changed.started.app))]

    def _invocation(self) -> list[Entry]:
        open_ones = [state for state in self.invocations if not state.ended]
        if len(open_ones) < 10 or self.random.random() < 0.2:
            return self.request()
        if self.random.random() < 0.1:
            return self._replay([state for state in self.invocations if state.ended], self.new_id())
        if self.random.random() < 0.05:
            return self._discard()
        state = self.random.choice(open_ones)
        return self._evolve(state, self._go_on(state))

    def request(self) -> list[Entry]:
        """A new invocation, which a node takes up at once if it can."""
        number = self.random.randrange(1, 4)
        due = self.now + timedelta(seconds=3) if self.random.random() < 0.2 else None
        requested = Requested(
            originator_id=self.new_id(),
            originator_version=1,
            app=self.random.choice(APPS),
            script=self.random.choice(SCRIPTS),
            number=number,
            sha256=f"{number:064x}",
            trigger=Trigger("http", self.random.choice(PATTERNS)),
            input=HttpInput("GET", f"/{self.text()}", {}, {"q": self.text()}, {}, Content(text=self.text())),
            due=due,
            retry=RetryPolicy(attempts=self.random.randrange(1, 4)),
        )
        state = lifecycle.evolve(None, requested)
        events: list[InvocationEvent] = [requested]
        if due is None and self.nodes and self.random.random() < 0.7:
            events.append(lifecycle.start(state, self._some_node()))
        return self._evolve(state, events[1:], first=requested)

    def _go_on(self, state: Invocation) -> list[InvocationEvent]:
        if self.random.random() < 0.05:
            return [lifecycle.cancel(state, "enough")]
        if state.state is State.SUSPENDED and state.suspension is not None and self.random.random() < 0.5:
            return [lifecycle.resume(state, self._waited_for())] if state.suspension.topic else []
        if state.state is not State.RUNNING:
            started = lifecycle.start(state, self._some_node())
            return [replace(started, batch=self.new_id() if self.random.random() < 0.2 else None)]
        usage = Usage(duration_us=self.random.randrange(10**7), cpu_us=5, operations=self.random.randrange(10**10))
        logs = [self._line() for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.3:
            return [self._checkpoint(state, usage, logs)]
        if self.random.random() < 0.6:
            reply = Reply(self.random.choice((200, 204, 422)), [("x", self.text())], Content(text=self.text()))
            return [lifecycle.succeed(state, reply, usage=usage, logs=logs, secrets=self._reads())]
        error = RunError("Thrown", self.text(), self.random.randrange(100), 7, ["f", "g"])
        lost = self.random.random() < 0.3
        failure = Failure(error=error, lost=lost, usage=usage, logs=logs, secrets=self._reads())
        return lifecycle.fail(state, failure, now=self.now, random=self.random.random())

    def _checkpoint(self, state: Invocation, usage: Usage, logs: list[LogLine]) -> InvocationEvent:
        stretch = Stretch(attempt=1, clock_ms=5, seed=7, calls=Content(base64="eJxr"), size=3, readings=[0, 5])
        if self.random.random() < 0.5:
            return lifecycle.complete_step(state, self.text(), stretch, duration_us=5, usage=usage, logs=logs)
        topic = self.random.choice(("", "orders.*", ">"))
        wanted: dict[str, object] = {"n": self.random.randrange(3)} if topic and self.random.random() < 0.5 else {}
        wait = Wait(until=self.now + timedelta(hours=1), asked="1h", topic=topic, filter=wanted)
        return lifecycle.suspend(state, wait, stretch, usage=usage, logs=logs)

    def _waited_for(self) -> WaitedFor:
        return WaitedFor(self.new_id(), "orders.paid", Content(text="{}"), "application/json", "2030-01-01T00:00:00Z")

    def _replay(self, ended: list[Invocation], again: UUID, metadata: Metadata | None = None) -> list[Entry]:
        if not ended:
            return []
        state = self.random.choice(ended)
        replayed, requested = lifecycle.replay(state, again, number=9, sha256="99" * 32)
        born = lifecycle.evolve(None, requested)
        entries = self._evolve(state, [replayed]) + self._evolve(born, [], first=requested)
        return [Entry(entry.event, metadata or entry.metadata) for entry in entries]

    def _discard(self) -> list[Entry]:
        dead = [each for each in self.invocations if each.state is State.DEAD and not each.discarded]
        if not dead:
            return []
        state = self.random.choice(dead)
        return self._evolve(state, [lifecycle.discard(state, self.text())])

    def _evolve(
        self, state: Invocation, events: list[InvocationEvent], *, first: Requested | None = None
    ) -> list[Entry]:
        self.invocations = [other for other in self.invocations if other.id != state.id]
        metadata = self._metadata(state.requested.app)
        for event in events:
            state = lifecycle.evolve(state, event)
        self.invocations.append(state)
        return [Entry(event, metadata) for event in ([first] if first else []) + events]

    def _some_node(self) -> UUID:
        return self.random.choice(list(self.nodes)) if self.nodes else UUID(int=1)

    def _line(self) -> LogLine:
        fields: dict[str, object] | None = None
        if self.random.random() < 0.3:
            fields = {self.text(): self.text(), "list": [1, 2.5, None, {"deep": self.text()}]}
        return LogLine("info", self.text(), self.random.randrange(10_000), self.random.randrange(50), fields)


def _target(trigger: triggers.Trigger, kind: str) -> Target:
    return Target(
        app=trigger.app,
        kind=kind,
        trigger=trigger.name,
        script=trigger.script,
        number=1,
        sha256=f"{1:064x}",
        delivery=trigger.delivery,
    )


def _settings(number: int) -> RouteSettings:
    """Settings of a route, others for each number of three."""
    if number % 3 == 0:
        return RouteSettings()
    credential = Credential("ünïcödé ☃" if number % 3 == 1 else "ada", "v1.0a1b2c3d4e5f.AAAA")
    return RouteSettings(
        auth=Auth(scheme=Scheme.GITHUB, signature=GITHUB, credentials=(credential,)),
        rate=RateLimit.parse(f"{number + 1}/1m"),
        cors=Cors(origins=("*",)) if number % 3 == 1 else None,
    )
