"""Secrets: versions, graces, what can name one; the value itself is never seen here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from picloud.domain.errors import Invalid, NotFound, VersionMismatch
from picloud.domain.secret import (
    MAX_GRACE,
    MAX_OLDER,
    MAX_SECRET_BYTES,
    Resealed,
    Secret,
    check_key_name,
    check_secret_value,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NONE = timedelta(0)


def secret(*graces: timedelta) -> Secret:
    """A secret that was set once, and then once an hour with these graces."""
    made = Secret.create("demo", "TOKEN", at=NOW)
    for number, grace in enumerate((NONE, *graces)):
        made.set(f"v1.k.{number + 1}", "f", grace=grace, at=NOW + number * HOUR)
    return made


def readable(made: Secret, at: datetime) -> list[int]:
    return [each.number for each in made.versions if each.readable(at)]


def test_a_new_value_ends_the_one_before_at_once_or_after_its_grace() -> None:
    assert readable(secret(NONE), NOW + HOUR) == [2]
    kept = secret(2 * HOUR)
    assert readable(kept, NOW + HOUR) == [2, 1]
    assert readable(kept, NOW + 3 * HOUR) == [2], "at the end of the grace it is over"


def test_each_version_keeps_the_grace_that_it_was_given() -> None:
    made = secret(10 * HOUR, HOUR)
    assert readable(made, NOW + 2 * HOUR) == [3, 2, 1]
    assert readable(made, NOW + 3 * HOUR) == [3, 1]


def test_a_value_without_a_grace_ends_all_older_ones() -> None:
    assert readable(secret(10 * HOUR, NONE), NOW + 2 * HOUR) == [3]


def test_there_are_only_so_many_older_values() -> None:
    made = secret(*[MAX_GRACE] * (MAX_OLDER + 2))
    assert len(made.versions) == 1 + MAX_OLDER
    assert made.versions[0].number == MAX_OLDER + 3


def test_a_grace_can_be_ended() -> None:
    made = secret(10 * HOUR)
    assert made.expire(at=NOW + HOUR)
    assert readable(made, NOW + HOUR) == [2]
    assert not made.expire(at=NOW + HOUR)


def test_under_another_key_versions_stay_what_they_are() -> None:
    made = secret(10 * HOUR, 10 * HOUR)
    made.reseal([Resealed(3, "v1.new.3", "g"), Resealed(1, "v1.new.1", "g")], at=NOW + 2 * HOUR)
    assert [(each.number, each.sealed) for each in made.versions] == [(3, "v1.new.3"), (1, "v1.new.1")]
    assert made.versions[1].until == NOW + 11 * HOUR


def test_a_removed_secret_goes_on_counting() -> None:
    made = secret(HOUR)
    made.remove(at=NOW + HOUR)
    assert made.current is None
    with pytest.raises(NotFound, match="no secret 'TOKEN' in demo"):
        made.remove(at=NOW)
    with pytest.raises(NotFound):
        made.expire(at=NOW)
    assert made.set("v1.k.3", "f", grace=HOUR, at=NOW + HOUR) == 3
    assert readable(made, NOW + HOUR) == [3]


@pytest.mark.parametrize(("expected", "found"), [(1, "at version 2"), (0, "at version 2"), (3, "at version 2")])
def test_who_expects_another_version_is_told(expected: int, found: str) -> None:
    with pytest.raises(VersionMismatch, match=found):
        secret(NONE).expect(expected)


def test_who_expects_what_is_there_or_nothing_may_go_on() -> None:
    secret(NONE).expect(2)
    secret(NONE).expect(None)
    Secret.create("demo", "TOKEN", at=NOW).expect(0)


@pytest.mark.parametrize("grace", [MAX_GRACE + HOUR, -HOUR])
def test_a_grace_has_bounds(grace: timedelta) -> None:
    with pytest.raises(Invalid, match="30 days"):
        secret().set("v1.k.2", "f", grace=grace, at=NOW)


@pytest.mark.parametrize("name", ["", "1st", "a b", "a/b", "ä", "_x", "x" * 64, "a\n", "a\x00"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="can't name a secret"):
        check_key_name(name, "secret")


@pytest.mark.parametrize("value", ["", "x" * (MAX_SECRET_BYTES + 1), "ü" * (MAX_SECRET_BYTES // 2 + 1), "\ud800"])
def test_a_bad_value_is_refused_without_being_told(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_secret_value(value)
    assert refused.value.field == "value"
    assert not value or value[:5] not in refused.value.message


def test_apps_have_secrets_of_their_own() -> None:
    assert Secret.id_of("a", "b-c") != Secret.id_of("a-b", "c")
    assert Secret.id_of("demo", "x") != Secret.id_of("shop", "x")
