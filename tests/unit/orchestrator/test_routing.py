"""The precedence of routes, as the documentation states it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.domain.route import Pattern
from picloud.orchestrator.routing import Match, NoMatch, RouteTable


def table(*patterns: str) -> RouteTable[str]:
    return RouteTable([(Pattern.parse(text), text) for text in patterns])


def target(found: Match[str] | NoMatch) -> str:
    assert isinstance(found, Match), f"no route, allowed: {found.allowed}"
    return found.target


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "GET /a/b"),
        ("/a/c", "GET /a/{x}"),
        ("/z/b", "GET /{y}/b"),
        ("/a/c/d", "GET /a/{rest...}"),
        ("/a", "GET /a/{rest...}"),
        ("/q/r/s", "GET /{all...}"),
        ("/", "GET /{all...}"),
    ],
)
def test_the_most_literal_pattern_from_the_left_wins(path: str, expected: str) -> None:
    routes = table("GET /{all...}", "GET /a/{rest...}", "GET /a/{x}", "GET /{y}/b", "GET /a/b")
    assert target(routes.match("GET", path)) == expected


def test_the_method_decides_among_the_patterns_that_fit_the_path() -> None:
    routes = table("GET /a/b", "POST /a/{x}", "ANY /a/{rest...}")
    assert target(routes.match("POST", "/a/b")) == "POST /a/{x}"
    assert target(routes.match("PUT", "/a/b")) == "ANY /a/{rest...}"
    assert target(routes.match("HEAD", "/a/b")) == "GET /a/b"


def test_a_known_path_with_another_method_says_which_are_allowed() -> None:
    routes = table("GET /a", "POST /a", "DELETE /b")
    assert routes.match("PUT", "/a") == NoMatch(("GET", "HEAD", "POST", "OPTIONS"))
    assert routes.match("GET", "/c") == NoMatch(())


def test_parameters_are_decoded_and_an_encoded_slash_stays_inside_its_part() -> None:
    found = table("GET /f/{name}/{rest...}").match("GET", "/f/a%2Fb%20%C3%A9/x/y%2Fz")
    assert isinstance(found, Match)
    assert found.params == {"name": "a/b é", "rest": "x/y/z"}


def test_a_parameter_takes_no_empty_part() -> None:
    routes = table("GET /a/{x}", "GET /r/{rest...}")
    assert routes.match("GET", "/a/") == NoMatch(())
    found = routes.match("GET", "/r")
    assert isinstance(found, Match)
    assert found.params == {"rest": ""}


def test_a_path_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(Invalid, match="not UTF-8"):
        table("GET /{x}").match("GET", "/%ff")


PARTS = st.sampled_from(["a", "b", "{x}", "{y}"])


@given(
    st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=6), st.tuples(st.sampled_from("abc"), st.sampled_from("abc"))
)
def test_what_wins_fits_and_nothing_that_fits_is_more_literal(
    patterns: list[tuple[str, str]], path: tuple[str, str]
) -> None:
    def fits(pattern: tuple[str, str]) -> bool:
        return all(p.startswith("{") or p == part for p, part in zip(pattern, path, strict=True))

    def rank(pattern: tuple[str, str]) -> tuple[bool, ...]:
        return tuple(p.startswith("{") for p in pattern)

    known = {f"GET /{p}/{q}": (p, q) for p, q in patterns if p != q or not p.startswith("{")}
    found = table(*known).match("GET", "/" + "/".join(path))
    fitting = [pattern for pattern in known.values() if fits(pattern)]
    if isinstance(found, NoMatch):
        assert not fitting
    else:
        assert rank(known[found.target]) == min(map(rank, fitting))
