"""What scripts are told of secrets and settings, and what they aren't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from picloud.domain.invocation import SecretRead
from picloud.domain.secret import SealedVersion, about_secret
from picloud.domain.vault import VaultError
from picloud.services.config import Config
from picloud.services.secrets import MAX_READS, Secrets, reads_of
from picloud.services.work import Caller, ServiceError, Withheld, Work

CALLER = Caller(
    invocation=UUID(int=1), attempt=1, title="demo/x", callers=(), correlation_id=UUID(int=1), clock_ms=0, deadline_ms=0
)
NOW = datetime.now(UTC)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def opened(sealed: str, *, about: str) -> bytes:
    """Stands for the vault: a cipher text says what it is about, and its value."""
    bound, _, value = sealed.partition("=")
    if bound != about:
        raise VaultError("it belongs elsewhere")
    return value.encode()


def version(app: str, name: str, number: int, value: str, until: datetime | None = None) -> SealedVersion:
    return SealedVersion(number, f"{about_secret(app, name, number)}={value}", "f", PAST, until)


APPS = {
    "demo": {
        "TOKEN": [
            version("demo", "TOKEN", 3, "third"),
            version("demo", "TOKEN", 2, "second", FUTURE),
            version("demo", "TOKEN", 1, "first", PAST),
        ],
        "MOVED": [version("shop", "MOVED", 1, "stolen")],
    },
    "shop": {"OTHER": [version("shop", "OTHER", 1, "theirs")]},
}
SECRETS = Secrets(lambda app: APPS.get(app, {}), opened)


def work(app: str = "demo") -> Work:
    return Work(app, CALLER)


def test_the_present_value_and_those_in_their_grace() -> None:
    run = work()
    assert SECRETS.get(run, "TOKEN") == Withheld("third", 3)
    assert SECRETS.live(run, "TOKEN") == Withheld(["third", "second"], [3, 2])
    assert SECRETS.get(run, "TOKEN") == Withheld("third", 3)
    assert reads_of(run) == [SecretRead("TOKEN", 3, 3), SecretRead("TOKEN", 2, 1)]
    assert run.effects() == []


@pytest.mark.parametrize("function", [SECRETS.get, SECRETS.live])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, r"takes the name of a secret as a string, not \(\)"),
        (1, "not i64"),
        (True, "not bool"),
        (["TOKEN"], "not array"),
        ({"a": 1}, "not map"),
        (b"TOKEN", "not blob"),
        ("", 'the app demo has no secret ""'),
        ("x" * 10_000, 'no secret "x{80}"'),
        ("TOKE", 'no secret "TOKE"; did you mean "TOKEN"'),
        ("zzz", "picloud secrets set demo zzz"),
        ("OTHER", 'no secret "OTHER"'),
        ("shop/OTHER", "no secret"),
        ("../shop/OTHER", "no secret"),
        ("MOVED", 'secrets::.*: "MOVED" can\'t be opened on this node: it belongs elsewhere'),
    ],
)
def test_what_is_no_secret_of_the_app_is_refused(function: Any, name: Any, said: str) -> None:
    run = work()
    with pytest.raises(ServiceError, match=said) as refused:
        function(run, name)
    assert "stolen" not in str(refused.value)
    assert reads_of(run) == []


def test_an_app_that_is_gone_has_no_secrets() -> None:
    with pytest.raises(ServiceError, match="the app gone has no secret"):
        SECRETS.get(work("gone"), "TOKEN")


def test_a_run_sees_what_was_there_at_its_first_look() -> None:
    now = {"TOKEN": [version("demo", "TOKEN", 1, "first")], "B": [version("demo", "B", 1, "b")]}
    there: dict[str, list[SealedVersion]] = dict(now)
    secrets = Secrets(lambda _app: there, opened)
    run = work()
    assert secrets.get(run, "TOKEN").value == "first"
    there = {}
    assert secrets.get(run, "B").value == "b"
    with pytest.raises(ServiceError):
        secrets.get(work(), "B")


def test_a_run_reads_only_so_often() -> None:
    run = work()
    for _ in range(MAX_READS):
        SECRETS.get(run, "TOKEN")
    with pytest.raises(ServiceError, match=r"1,000 times; keep the value in a variable"):
        SECRETS.get(run, "TOKEN")


@pytest.mark.parametrize(
    ("function", "numbers", "answer", "said"),
    [
        ("get", [3], "third", ""),
        ("get", [2], "second", ""),
        ("get", [1], "third", 'version 1 of the secret "TOKEN" is gone: version 3 stands for it'),
        ("get", [], "third", "not recorded"),
        ("live", [3, 2], ["third", "second"], ""),
        ("live", [2], ["second"], ""),
        ("live", [2, 1], ["second"], "version 1 of the secret"),
        ("live", [1], ["third"], "version 3 stands for it"),
    ],
)
def test_a_repeated_run_gets_the_versions_that_it_read(
    function: str, numbers: list[int], answer: Any, said: str
) -> None:
    value, told = SECRETS.again(work(), function, "TOKEN", numbers)
    assert value == answer
    assert said in told
    assert bool(said) == bool(told)


CONFIG = Config(lambda app: {"RATE": 5, "NOTHING": [], "MAP": {"a": None}} if app == "demo" else {})


def test_settings_are_told_with_or_without_a_default() -> None:
    run = work()
    assert CONFIG.get(run, "RATE") == 5
    assert CONFIG.get(run, "RATE", 7) == 5
    assert CONFIG.get(run, "OTHER", 7) == 7
    assert CONFIG.get(run, "OTHER", None) is None, "() is a default too"
    assert CONFIG.all(run) == {"RATE": 5, "NOTHING": [], "MAP": {"a": None}}
    assert CONFIG.all(work("shop")) == {}
    assert run.effects() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, r"config::get takes the name of a setting as a string, not \(\)"),
        (1.5, "not f64"),
        ([], "not array"),
        ("RATES", 'the app demo has no setting "RATES"; did you mean "RATE"'),
        ("", "give a default, or set it with picloud config set"),
        ("x" * 10_000, 'no setting "x{80}"'),
    ],
)
def test_what_is_no_setting_is_refused(name: Any, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        CONFIG.get(work(), name)


def test_a_bad_name_is_refused_whatever_the_default() -> None:
    with pytest.raises(ServiceError, match="not i64"):
        CONFIG.get(work(), 1, "default")
