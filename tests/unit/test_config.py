"""Settings: read once, checked at once, handed on whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from picloud.config import NOT_SHOWN, Config, ConfigError, MailServer, settings, split_address, unknown_variables


def test_an_empty_environment_gives_the_defaults() -> None:
    config = Config.from_environment({})
    assert config.listen == "127.0.0.1:8000"
    assert config.embedded
    assert 1 <= config.workers <= 4


def test_a_variable_sets_its_setting_and_an_option_goes_over_it() -> None:
    environment = {"PICLOUD_WORKERS": "3", "PICLOUD_GRACE": "7"}
    config = Config.from_environment(environment, workers="5", listen=None)
    assert (config.workers, config.grace, config.listen) == (5, 7, "127.0.0.1:8000")


def test_an_empty_variable_counts_as_unset() -> None:
    assert Config.from_environment({"PICLOUD_RUNS": ""}).runs == 16


def test_an_empty_option_is_a_value() -> None:
    environment = {"PICLOUD_DATABASE": "postgresql://somewhere/else"}
    assert Config.from_environment(environment, database="").embedded


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PICLOUD_WORKERS", "none", "a whole number from 1 to 64"),
        ("PICLOUD_WORKERS", "0", "a whole number from 1 to 64"),
        ("PICLOUD_WORKERS", "2.5", "a whole number from 1 to 64"),
        ("PICLOUD_LISTEN", "localhost", "host:port"),
        ("PICLOUD_LISTEN", "127.0.0.1:0", "a port from 1 to 65535"),
        ("PICLOUD_LISTEN", "127.0.0.1:65536", "a port from 1 to 65535"),
        ("PICLOUD_LISTEN", "a b:80", "host:port"),
        ("PICLOUD_BODY_LIMIT", "6 apples", "a number of bytes"),
        ("PICLOUD_BODY_LIMIT", "-1", "a number of bytes"),
        ("PICLOUD_BODY_LIMIT", "1KiB", "a number of bytes from 1048576"),
        ("PICLOUD_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable_and_what_is_expected(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_environment({variable: value})
    assert (caught.value.variable, caught.value.found) == (variable, value)
    assert expected in caught.value.expected
    assert variable in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "number"), [("1048576", 1048576), ("6MiB", 6291456), ("6 m", 6291456), ("2048KiB", 2097152)]
)
def test_sizes_may_have_a_unit(text: str, number: int) -> None:
    assert Config.from_environment({"PICLOUD_BODY_LIMIT": text}).body_limit == number


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:8000", "::1", 8000),
        (":9000", "127.0.0.1", 9000),
        ("9000", "127.0.0.1", 9000),
        ("pi.example:8080", "pi.example", 8080),
    ],
)
def test_addresses_have_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert split_address(text) == (host, port)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("pi.example:80", "http://pi.example:80"),
    ],
)
def test_the_url_is_one_that_a_client_on_this_machine_can_use(listen: str, url: str) -> None:
    assert Config.from_environment({"PICLOUD_LISTEN": listen}).url == url


@pytest.mark.parametrize(
    ("text", "listen"), [("9000", "127.0.0.1:9000"), ("[::1]:80", "[::1]:80"), (":1", "127.0.0.1:1")]
)
def test_the_address_is_kept_in_the_form_that_servers_take(text: str, listen: str) -> None:
    assert Config.from_environment({"PICLOUD_LISTEN": text}).listen == listen


def test_children_read_an_equal_object_from_the_environment_they_are_given() -> None:
    given = {"PICLOUD_DATA": "/srv/pi cloud", "PICLOUD_RUNS": "3", "PICLOUD_STRING_BYTES": "1MiB"}
    config = Config.from_environment(given)
    assert Config.from_environment(config.to_environment()) == config


def test_a_relative_data_folder_is_made_absolute_so_that_children_elsewhere_find_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config.from_environment({"PICLOUD_DATA": "here"}).data == tmp_path / "here"


def test_the_embedded_database_is_reached_by_a_socket_in_its_folder() -> None:
    config = Config.from_environment({"PICLOUD_DATA": "/srv/it's here"})
    assert config.dsn == r"host='/srv/it\'s here/postgres' user=postgres dbname=postgres"


def test_a_socket_path_too_long_for_the_kernel_goes_to_a_short_folder_of_its_own() -> None:
    long = [Config.from_environment({"PICLOUD_DATA": f"/srv/{'x' * 100}{n}"}).dsn for n in range(2)]
    assert long[0] != long[1], "two data folders need two sockets"
    assert all(len(dsn) < 107 for dsn in long)


def test_a_password_in_the_connection_string_is_not_shown() -> None:
    config = Config.from_environment({"PICLOUD_DATABASE": "postgresql://me:secret@db/x"})
    assert "secret" not in repr(config)
    assert config.dsn == "postgresql://me:secret@db/x"


def test_misspelt_variables_are_found() -> None:
    environment = {"PICLOUD_WORKRS": "1", "PICLOUD_URL": "http://x", "PATH": "/bin", "PICLOUD_DATA": "/x"}
    assert unknown_variables(environment) == ["PICLOUD_WORKRS"]


def test_every_setting_says_what_it_means() -> None:
    for setting in settings():
        assert setting.variable.startswith("PICLOUD_")
        assert setting.sentence.endswith(".")
    assert len({setting.variable for setting in settings()}) == len(settings())


def test_the_page_of_settings_says_what_the_code_says() -> None:
    root = Path(__file__).resolve().parents[2]
    made = subprocess.run(
        [sys.executable, "-c", "from ops.document_settings import page; print(page(), end='')"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (root / "docs" / "configuration.md").read_text(encoding="utf-8") == made.stdout, "run `make docs`"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://mail.example.org", MailServer(scheme="smtps", host="mail.example.org", port=465)),
        (
            "smtp://ada%40example.org:p%3Aw%2F@mail.example.org:2525",
            MailServer(scheme="smtp", host="mail.example.org", port=2525, user="ada@example.org", password="p:w/"),
        ),
        ("smtp+plain://[::1]", MailServer(scheme="smtp+plain", host="::1", port=25)),
    ],
)
def test_a_server_for_mails_is_a_url(url: str, expected: MailServer) -> None:
    config = Config.from_environment({"PICLOUD_MAIL_SERVER": url})
    assert config.mail_route == expected
    assert Config.from_environment(config.to_environment()) == config


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://u:secret@x",
        "smtp://",
        "smtp://u:secret@x:99999",
        "smtps://secret@x",
        "smtp://x/secret",
    ],
)
def test_what_may_hold_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_environment({"PICLOUD_MAIL_SERVER": url})
    assert caught.value.found == NOT_SHOWN
    assert "secret" not in str(caught.value)
    config = Config.from_environment({"PICLOUD_MAIL_SERVER": "smtps://u:secret@x"})
    assert "secret" not in repr(config) + repr(config.mail_route)
    assert config.mail_route is not None
    assert config.mail_route.shown == "smtps://x:465"


@pytest.mark.parametrize(
    "sender", ["ada", "ada@", "Ada <ada@example.org", "ada@example.org>", "a\nb <a@b.org>", "a@b c"]
)
def test_the_sender_of_mails_is_an_address(sender: str) -> None:
    with pytest.raises(ConfigError):
        Config.from_environment({"PICLOUD_MAIL_FROM": sender})
    for good in ("ada@example.org", "Ada L. <ada@example.org>"):
        assert Config.from_environment({"PICLOUD_MAIL_FROM": good}).mail_from == good
