"""Scripts, routes, apps and tokens keep their rules under any sequence of commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from picloud.domain.access import AccessToken, Role
from picloud.domain.app import App
from picloud.domain.errors import Conflict, DomainError, Invalid, NotFound, VersionMismatch
from picloud.domain.names import check_app_name, check_script_name
from picloud.domain.route import Pattern, Route
from picloud.domain.script import Pin, Script

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def folded(events: list[Any]) -> Any:
    aggregate = None
    for event in events:
        aggregate = event.mutate(aggregate)
    return aggregate


class ScriptLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []
        self.sources: dict[int, tuple[str, int]] = {}
        self.script: Script

    @initialize()
    def create(self) -> None:
        self.script = Script.create("demo", "hello", at=NOW)

    @rule(source=st.sampled_from("abc"), imported=st.integers(0, 2))
    def deploy(self, source: str, imported: int) -> None:
        before = self.script.current
        pins = {"library": Pin(number=imported, sha256="x")} if imported else {}
        number = self.script.deploy(source, 1, imports=pins, at=NOW)
        assert self.script.current == number
        if before is not None and self.sources[before] == (source, imported):
            assert number == before, "the same source on the same imports again makes no new version"
        else:
            assert number == max(self.sources, default=0) + 1
        self.sources[number] = source, imported

    @rule(number=st.integers(0, 6))
    def roll_back(self, number: int) -> None:
        if self.script.current is None or number not in self.sources:
            with pytest.raises(NotFound):
                self.script.roll_back(number, at=NOW)
        elif number == self.script.current:
            with pytest.raises(Conflict):
                self.script.roll_back(number, at=NOW)
        else:
            self.script.roll_back(number, at=NOW)
            assert self.script.current == number

    @rule(command=st.sampled_from(["disable", "enable", "remove"]))
    def switch(self, command: str) -> None:
        acts = {
            "disable": lambda: self.script.disable("broken", at=NOW),
            "enable": lambda: self.script.enable(at=NOW),
            "remove": lambda: self.script.remove(at=NOW),
        }
        deployed, off = self.script.current is not None, self.script.disabled is not None
        if deployed and (command == "remove" or off == (command == "enable")):
            acts[command]()
        else:
            with pytest.raises(DomainError):
                acts[command]()

    @rule(expected=st.integers(0, 6))
    def expect(self, expected: int) -> None:
        if expected == (self.script.current or 0):
            self.script.expect(expected)
        else:
            with pytest.raises(VersionMismatch):
                self.script.expect(expected)

    @invariant()
    def a_number_always_means_one_source(self) -> None:
        found = {n: (v.sha256, len(v.imports or {})) for n, v in self.script.versions.items()}
        assert found == {n: (source, min(imported, 1)) for n, (source, imported) in self.sources.items()}

    @invariant()
    def the_events_tell_the_whole_state(self) -> None:
        self.events += self.script.collect_events()
        again = folded(self.events)
        assert (again.versions, again.current, again.disabled) == (
            self.script.versions,
            self.script.current,
            self.script.disabled,
        )
        assert [e.originator_version for e in self.events] == list(range(1, len(self.events) + 1))


TestScriptLife = ScriptLife.TestCase


def test_a_route_of_another_script_is_not_taken_over_silently() -> None:
    route = Route.add("demo", Pattern.parse("GET /a/{x}"), "one", durability="outbox", at=NOW)
    with pytest.raises(Conflict, match="leads to the script 'one' already"):
        route.point(Pattern.parse("GET /a/{y}"), "two", durability="outbox", at=NOW)
    assert route.point(Pattern.parse("GET /a/{y}"), "one", durability="outbox", at=NOW)
    assert route.path == "/a/{y}"
    assert not route.point(Pattern.parse("GET /a/{y}"), "one", durability="outbox", at=NOW)


def test_patterns_that_match_the_same_requests_are_one_route() -> None:
    one, two = Pattern.parse("GET /a/{x}/{rest...}"), Pattern.parse("get /a/{id}/{more...}")
    assert Route.id_of("demo", one) == Route.id_of("demo", two)
    assert Route.id_of("demo", one) != Route.id_of("demo", Pattern.parse("POST /a/{x}/{rest...}"))


@pytest.mark.parametrize(
    "text", ["GET", "GET hello", "FETCH /a", "GET /a/{X}", "GET /a//b", "GET /{r...}/b", "GET /{a}/{a}", "GET /a b"]
)
def test_a_bad_pattern_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Pattern.parse(text)
    assert refused.value.field == "route"


def suggestion_for(check: Callable[[str], str], text: str) -> str | None:
    try:
        check(text)
    except Invalid as error:
        return error.remedy.removeprefix("For example: '").removesuffix("'.")
    return None


@given(st.text(max_size=70))
def test_any_text_is_a_name_or_is_refused_with_a_suggestion_that_is_one(text: str) -> None:
    for check in (check_app_name, check_script_name):
        refused = suggestion_for(check, text)
        if refused is None:
            assert check(text) == text
        else:
            assert check(refused) == refused


def test_a_removed_app_can_be_created_again_and_not_twice() -> None:
    app = App.create("demo", at=NOW)
    with pytest.raises(Conflict):
        app.restore(at=NOW)
    app.remove(at=NOW)
    with pytest.raises(NotFound):
        app.remove(at=NOW)
    app.restore(at=NOW)
    assert not app.removed


def test_a_token_keeps_its_role_and_apps_and_is_revoked_once() -> None:
    token = AccessToken.issue(UUID(int=5), "ci", role="editor", apps=["b", "a", "a"], sha256="00", at=NOW)
    assert (token.role, token.apps) == (Role.EDITOR, frozenset({"a", "b"}))
    token.revoke(at=NOW)
    with pytest.raises(Conflict):
        token.revoke(at=NOW)
    with pytest.raises(Invalid):
        AccessToken.issue(UUID(int=6), "ci", role="god", apps=[], sha256="00", at=NOW)
