"""Which platform a command talks to, and with which token."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from picloud.cli.target import find_target


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PICLOUD_URL", "PICLOUD_TOKEN", "PICLOUD_DATA", "PICLOUD_LISTEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "owner.token").write_text("pic_owner\n")
    (tmp_path / "url").write_text("http://127.0.0.1:9999\n")
    return tmp_path


def test_a_platform_on_this_machine_is_found_by_its_data_folder(folder: Path) -> None:
    target = find_target(None, None, str(folder))
    assert (target.url, target.token) == ("http://127.0.0.1:9999", "pic_owner")


def test_options_go_over_variables_and_those_over_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICLOUD_URL", "https://pi.example/")
    monkeypatch.setenv("PICLOUD_TOKEN", "pic_env")
    by_variables = find_target(None, None, str(folder))
    assert (by_variables.url, by_variables.token) == ("https://pi.example", "pic_env")
    by_options = find_target("http://localhost:1", "pic_given", str(folder))
    assert (by_options.url, by_options.token) == ("http://localhost:1", "pic_given")


def test_the_owners_token_is_never_sent_to_another_machine(folder: Path) -> None:
    with pytest.raises(click.ClickException, match="needs a token"):
        find_target("https://pi.example", None, str(folder))


def test_without_a_token_the_message_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException) as caught:
        find_target(None, None, str(tmp_path))
    assert str(tmp_path / "owner.token") in caught.value.message


def test_an_address_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(click.UsageError, match="expected http"):
        find_target("localhost:8000", None, str(folder))
