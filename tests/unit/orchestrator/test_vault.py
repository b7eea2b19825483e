"""A cipher text opens where it belongs, with its key, unchanged; and nowhere else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picloud.domain.secret import about_secret
from picloud.orchestrator.vault import KEY_BYTES, Vault, VaultError, VaultKey

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,10}", fullmatch=True)
APPS = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
PLACES = st.builds(about_secret, APPS, NAMES, st.integers(1, 1000))


def write(path: Path, *keys: bytes) -> list[str]:
    path.write_text("".join(f"{base64.b64encode(key).decode()}\n" for key in keys))
    return [VaultKey(key).id for key in keys]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    path = tmp_path_factory.mktemp("vault") / "vault.key"
    write(path, b"k" * KEY_BYTES)
    return Vault(path)


@given(st.text(max_size=100), PLACES, PLACES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_moved_cipher_text_does_not_open(vault: Vault, value: str, here: str, there: str) -> None:
    sealed = vault.seal(value.encode(), about=here)
    assert vault.open(sealed, about=here) == value.encode()
    assert not value or len(value) < 3 or value not in sealed.split(".")[2]
    if here != there:
        with pytest.raises(VaultError, match="belongs elsewhere"):
            vault.open(sealed, about=there)


@given(st.binary(min_size=1, max_size=100), st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None)
def test_a_changed_cipher_text_does_not_open(vault: Vault, value: bytes, at: int, flip: int) -> None:
    version, key, text = vault.seal(value, about="x").split(".")
    content = bytearray(base64.b64decode(text))
    content[at % len(content)] ^= flip
    with pytest.raises(VaultError, match="changed"):
        vault.open(f"{version}.{key}.{base64.b64encode(content).decode()}", about="x")


@given(NAMES, NAMES, st.integers(1, 100))
def test_no_two_secrets_have_one_place(one: str, other: str, number: int) -> None:
    places = {about_secret("a", one, number), about_secret("a", other, number), about_secret("b", one, number)}
    assert len(places) == (2 if one == other else 3)


def test_fingerprints_are_of_one_secret_and_one_key(vault: Vault, tmp_path: Path) -> None:
    print_of = vault.fingerprint(b"value", about="demo/A")
    assert print_of == vault.fingerprint(b"value", about="demo/A")
    assert print_of != vault.fingerprint(b"other", about="demo/A")
    assert print_of != vault.fingerprint(b"value", about="demo/B")
    write(tmp_path / "other.key", b"o" * KEY_BYTES)
    assert print_of != Vault(tmp_path / "other.key").fingerprint(b"value", about="demo/A")
    assert len(print_of) == 12


def test_a_running_node_seals_with_the_key_that_was_just_put_on_top(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    (old,) = write(path, b"a" * KEY_BYTES)
    vault = Vault(path)
    assert vault.seal(b"x", about="x").split(".")[1] == old
    new, _ = write(path, b"b" * KEY_BYTES, b"a" * KEY_BYTES)
    assert vault.seal(b"x", about="x").split(".")[1] == new


def test_a_node_that_does_not_know_the_newest_key_says_so(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    (old,) = write(path, b"a" * KEY_BYTES)
    vault = Vault(path)
    vault.check_newest([])
    vault.check_newest([old])
    with pytest.raises(VaultError, match=f"with the key {old}, but the vault's key is 0a1b2c3d4e5f since"):
        vault.check_newest([old, "0a1b2c3d4e5f"])
