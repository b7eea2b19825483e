"""Topics and the patterns that subscribe to them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.domain.subject import check_pattern, check_topic, matches

WORDS = st.sampled_from(["a", "b", "orders", "x-1", "_"])
TOPICS = st.lists(WORDS, min_size=1, max_size=5).map(".".join)
PATTERNS = st.tuples(st.lists(WORDS | st.just("*"), max_size=4), st.sampled_from(["a", "*", ">"])).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)


def as_expression(pattern: str) -> re.Pattern[str]:
    """The pattern as the regular expression that the NATS documentation describes."""
    word = r"[^.]+"
    return re.compile(
        r"\.".join(
            word if w == "*" else rf"{word}(\.{word})*" if w == ">" else re.escape(w) for w in pattern.split(".")
        )
    )


@given(PATTERNS, TOPICS)
def test_patterns_match_as_in_nats(pattern: str, topic: str) -> None:
    assert matches(check_pattern(pattern), check_topic(topic)) == bool(as_expression(pattern).fullmatch(topic))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("orders.*", "orders.created", True),
        ("orders.*", "orders", False),
        ("orders.*", "orders.eu.created", False),
        ("orders.>", "orders.eu.created", True),
        ("orders.>", "orders", False),
        (">", "anything", True),
        ("*.created", "orders.created", True),
    ],
)
def test_examples(pattern: str, topic: str, *, expected: bool) -> None:
    assert matches(pattern, topic) is expected


@pytest.mark.parametrize("topic", ["", ".", "a..b", "a.*", "a b", ">", "a.", "x" * 256, "ü"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(Invalid):
        check_topic(topic)


@pytest.mark.parametrize("pattern", ["", "a.>.b", "a*", "a.", "a.>>", "ü.*"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_pattern(pattern)
    assert refused.value.field == "config.topic"
