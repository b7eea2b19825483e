"""Traffic for every kind of trigger at once. Whoever sends remembers what was accepted, and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import smtplib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Final
from uuid import UUID

from tests.acceptance.load import COUNTER, ROUTE
from tests.acceptance.platform import Platform

APP: Final = "soak"
SCRIPTS: Final[dict[str, str]] = {
    "count": COUNTER,
    # Messages of one key in order; some fail at first, some always.
    "work": """
        let m = ctx.event.data;
        if m.n % 7 == 3 && ctx.invocation.attempt == 1 { throw "the first try fails"; }
        if m.n % 41 == 0 { throw "this one always fails"; }
        let key = "work/" + m.key;
        let count = kv::get(key);
        kv::set(key, if count == () { 1 } else { count + 1 });
    """,
    "batch": """
        let failed = [];
        for m in ctx.event.messages {
            if m.data.n % 11 == 5 && m.attempt == 1 {
                failed.push(#{id: m.id, error: "not this time"});
            } else {
                kv::set("batch/" + m.id, m.data.n);
            }
        }
        #{failed: failed}
    """,
    # From one message: another one, a queue, a script that is started and one that is waited for.
    "fan": """
        let m = ctx.event.data;
        let key = "fan" + m.n % 5;
        queue::send("work", #{key: key, n: m.n}, #{ordering_key: key});
        topic::publish("audit.order", #{n: m.n});
        invoke::start("leaf", #{n: m.n});
        if m.n % 9 == 0 {
            kv::set("called/" + ctx.event.id, invoke::run("leaf", #{n: m.n + 1}));
        }
    """,
    "leaf": """
        let n = ctx.event.data.n;
        if n % 53 == 0 { throw "no leaf for this"; }
        n * 2
    """,
    "bury": 'kv::set("buried/" + ctx.event.data.invocation, ctx.event.data.reason);',
    "watch": 'kv::set("watched/" + ctx.event.data.position, ctx.event.data.type);',
    "tick": 'kv::set("tick/" + ctx.event.due, true);',
    "mail": 'kv::set("mail/" + ctx.event.data.message_id, ctx.event.data.subject);',
}
TRIGGERS: Final[dict[str, dict[str, Any]]] = {
    "work": {
        "kind": "queue",
        "script": "work",
        "config": {},
        "flow": {"concurrency": 8},
        "retry": {"attempts": 3, "delays": ["50ms", "500ms"]},
    },
    "batches": {
        "kind": "queue",
        "script": "batch",
        "config": {"batch": 5, "batch_wait": "100ms"},
        "flow": {"concurrency": 2},
        "retry": {"attempts": 5, "delays": ["50ms"]},
    },
    "orders": {"kind": "topic", "script": "fan", "config": {"topic": "orders.*"}, "flow": {"ordering_key": "data.key"}},
    "audit": {"kind": "topic", "script": "leaf", "config": {"topic": ">"}, "retry": {"attempts": 1}},
    "grave": {"kind": "dead_letter", "script": "bury", "config": {}},
    "watch": {"kind": "log", "script": "watch", "config": {"events": "Script*"}},
    "tick": {
        "kind": "cron",
        "script": "tick",
        "config": {"cron": "* * * * * *", "overlap": "allow", "catch_up": "all", "window": "1h"},
    },
    "queued": {
        "kind": "cron",
        "script": "leafless",
        "config": {"cron": "*/2 * * * * *", "overlap": "queue", "catch_up": "all", "window": "1h"},
    },
    "inbox": {"kind": "email", "script": "mail", "config": {}},
}


def deploy(platform: Platform, *, mail: bool) -> None:
    """The scripts and triggers of the mix."""
    for name, source in SCRIPTS.items():
        platform.deploy(APP, name, source, *([ROUTE] if name == "count" else []))
    platform.deploy(APP, "leafless", "ctx.event.due")
    for name, content in TRIGGERS.items():
        if content["kind"] != "email" or mail:
            answer = platform.api("PUT", f"/apps/{APP}/triggers/{name}", content)
            assert answer.status == 200, answer.text


@dataclass(slots=True)
class Accepted:
    """What the senders were told: invocations that were accepted, Message-IDs of mails that were taken."""

    invocations: list[UUID] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class Mix:
    """Senders, a thread for each kind and client, from entry until exit of the block."""

    def __init__(self, platform: Platform, *, seed: int, smtp_port: int | None) -> None:
        self.accepted = Accepted()
        self._platform = platform
        self._seed = seed
        self._smtp_port = smtp_port
        self._stop = threading.Event()
        self._changed = threading.Condition()
        senders: list[Callable[[random.Random], None]] = [
            *[self._count] * 4,
            *[self._send] * 3,
            *[self._batch] * 2,
            *[self._publish] * 2,
            self._respond_async,
            self._deploy,
        ]
        if smtp_port is not None:
            senders.append(self._mail)
        self._threads = [
            threading.Thread(target=self._run, args=(send, number), daemon=True) for number, send in enumerate(senders)
        ]

    def __enter__(self) -> Mix:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
            assert not thread.is_alive(), "a sender got no answer and no error within 90 s"

    def wait_for(self, more: int, timeout: float) -> None:
        """Return when ``more`` further things were accepted."""
        with self._changed:
            wanted = sum(self.accepted.kinds.values()) + more
            reached = self._changed.wait_for(lambda: sum(self.accepted.kinds.values()) >= wanted, timeout)
        assert reached, f"no {more} more were accepted within {timeout:g} s: {self.accepted.kinds}"

    def _run(self, send: Callable[[random.Random], None], number: int) -> None:
        dice = random.Random(self._seed * 1_000 + number)
        while not self._stop.is_set():
            try:
                send(dice)
            except (OSError, http.client.HTTPException, smtplib.SMTPException) as error:
                with self._changed:
                    self.accepted.refused[type(error).__name__] += 1
                # Not a wait for anything: only no storm of refused connections.
                self._stop.wait(0.05)

    def _add(self, kind: str, invocations: list[str]) -> None:
        with self._changed:
            self.accepted.invocations += map(UUID, invocations)
            self.accepted.kinds[kind] += 1
            self._changed.notify_all()

    def _refused(self, what: object) -> None:
        with self._changed:
            self.accepted.refused[str(what)] += 1
        self._stop.wait(0.05)

    def _count(self, dice: random.Random) -> None:
        answer = self._platform.call("POST", f"/apps/{APP}/count/{dice.randrange(8)}")
        if answer.status == 200:
            self._add("http", [answer.headers["picloud-invocation"]])
        else:
            self._refused(answer.status)

    def _respond_async(self, dice: random.Random) -> None:
        key = f"{self._seed}-{dice.getrandbits(64)}"
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        path = f"/apps/{APP}/count/async{dice.randrange(8)}"
        # Asked for twice, it is one.
        for _ in range(2):
            answer = self._platform.call("POST", path, headers=headers)
            if answer.status == 202:
                self._add("respond-async", [answer.json["invocation"]])
            else:
                self._refused(answer.status)

    def _send(self, dice: random.Random) -> None:
        key = f"k{dice.randrange(20)}"
        messages = [{"data": {"key": key, "n": dice.randrange(10_000)}, "ordering_key": key} for _ in range(3)]
        answer = self._platform.api("POST", f"/apps/{APP}/queues/work/messages", messages)
        if answer.status == 202:
            self._add("queue", answer.json["messages"])
            # The queue's limit is what it can run; it is to be busy, not ever longer.
            self._stop.wait(0.05)
        else:
            self._refused(answer.status)

    def _batch(self, dice: random.Random) -> None:
        messages = [{"data": {"n": dice.randrange(10_000)}} for _ in range(dice.randrange(1, 8))]
        answer = self._platform.api("POST", f"/apps/{APP}/queues/batches/messages", messages)
        if answer.status == 202:
            self._add("batch", answer.json["messages"])
            self._stop.wait(0.05)
        else:
            self._refused(answer.status)

    def _publish(self, dice: random.Random) -> None:
        content = {"n": dice.randrange(10_000), "key": f"o{dice.randrange(10)}"}
        answer = self._platform.api("POST", f"/apps/{APP}/topics/orders.created", content)
        if answer.status == 202:
            self._add("topic", list(answer.json["invocations"].values()))
            self._stop.wait(0.05)
        else:
            self._refused(answer.status)

    def _deploy(self, dice: random.Random) -> None:
        content = {"source": f"// {dice.getrandbits(64)}\nctx.event.due", "routes": []}
        answer = self._platform.api("PUT", f"/apps/{APP}/scripts/leafless", content)
        if answer.status in (200, 201):
            self._add("deploy", [])
        self._stop.wait(1.0)

    def _mail(self, dice: random.Random) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = "ada@example.org", f"{APP}+inbox@example.org"
        mail["Subject"] = f"mail {dice.randrange(1_000)}"
        mail["Message-ID"] = f"<{self._seed}.{dice.getrandbits(64)}@example.org>"
        mail.set_content("It burns.")
        assert self._smtp_port is not None
        with contextlib.closing(smtplib.SMTP("127.0.0.1", self._smtp_port, timeout=30)) as server:
            server.send_message(mail)
        with self._changed:
            self.accepted.mails.append(mail["Message-ID"])
        self._add("email", [])
        self._stop.wait(0.1)


def told(accepted: Accepted) -> str:
    """What was accepted, on one line."""
    return json.dumps(dict(accepted.kinds)) + (f", refused {dict(accepted.refused)}" if accepted.refused else "")
