"""Topics and the patterns that subscribe to them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.domain.subject import Subscriptions, check_pattern, check_topic, matches

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


@given(st.lists(PATTERNS, max_size=30), TOPICS)
def test_subscriptions_find_whom_the_patterns_match_in_their_order(patterns: list[str], topic: str) -> None:
    found = Subscriptions(zip(patterns, enumerate(patterns), strict=True)).of(topic)
    assert found == [(n, pattern) for n, pattern in enumerate(patterns) if matches(pattern, topic)]


def test_a_topic_is_looked_up_by_its_words_not_by_its_subscribers() -> None:
    many = Subscriptions((f"orders.customer-{n}.>", n) for n in range(10_000))
    began = time.perf_counter()
    for n in range(1_000):
        assert many.of(f"orders.customer-{n}.created") == [n]
    assert time.perf_counter() - began < 1.0, "a thousand look-ups among ten thousand took more than a second"


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
