"""Paths, metadata and content types of files; which files of a site answer."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.domain.file import check_content_type, check_metadata, check_path, fault_of_path
from picloud.domain.media_types import media_type
from picloud.domain.site import (
    IMMUTABLE,
    REVALIDATE,
    CacheRule,
    SiteSettings,
    candidates,
    has_hash,
)
from picloud.orchestrator.routing import split_path

GOOD = ["a", "a/b.txt", "a b", "ü/ö", ".well-known/x", "..a/b..", "a/...", "x" * 1024, "a:b", "100%", "a?b#c"]
BAD = [
    "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", "./a", "a/..", "a\\b", "a\x00b", "a\nb", "\x7f",
    "x" * 1025, "ü" * 513, "\ud800", "a/\U0010ffff", None, 7, b"a", ["a"],
]  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_a_path_may_be(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("path", BAD)
def test_a_path_may_not_be(path: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_path(path)
    assert refused.value.field == "path"


HOSTILE = [
    "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/a/../../secret.txt",
    "/.%2e/secret.txt", "/%2e/./secret.txt", "//secret.txt", "/a//secret.txt", "/..\\secret.txt", "/..%5csecret.txt",
    "/%5c..%5csecret.txt", "/secret.txt%00.html", "/%00", "/a%0a", "/..;/secret.txt/..", "/%252e%252e/..", "/a/%2e%2e",
    "/%2fetc%2fpasswd", "/..", "/.", "/./", "/../", "/a%2f..%2f..%2fsecret.txt", "/\x7f", "/.../../x",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_leads_out_of_the_site(path: str) -> None:
    found = candidates(SiteSettings(), split_path(path), navigation=False)
    assert found.paths == [], "no file can be at it"


@given(st.lists(st.text(max_size=8), max_size=5), st.sampled_from(["", "site/", "a/b/"]), st.booleans())
def test_what_may_answer_lies_under_the_prefix(parts: list[str], prefix: str, navigation: bool) -> None:
    raw = "/" + "/".join(quote(part.encode("utf-8", "surrogatepass"), safe="") for part in parts)
    try:
        decoded = split_path(raw)
    except Invalid:
        return
    for path in candidates(SiteSettings(prefix=prefix), decoded, navigation=navigation).paths:
        assert path.startswith(prefix)
        assert not fault_of_path(path)


def test_a_path_is_looked_for_as_file_as_folder_and_for_navigations() -> None:
    settings = SiteSettings()
    found = candidates(settings, split_path("/docs/a%20b"), navigation=True)
    assert (found.path, found.folder) == ("site/docs/a b", "site/docs/a b/index.html")
    assert (found.not_found, found.fallback) == ("site/404.html", "site/index.html")
    root = candidates(settings, split_path("/"), navigation=False)
    assert root.paths == ["site/index.html"]
    assert candidates(settings, split_path("/docs/"), navigation=False).paths == ["site/docs/index.html"]
    plain = SiteSettings(index="", fallback="", not_found="")
    assert candidates(plain, split_path("/docs/"), navigation=True).paths == []


@pytest.mark.parametrize(
    "name",
    [
        "assets/index-B1xKd9a_.js",
        "main.8e2f1c3d.css",
        "chunk-0a1b2c3d4e5f.mjs",
        "a.8e2f1c3d.js.map",
        "x-DkX3f9aB.woff2",
    ],
)
def test_names_with_a_hash_are_kept_for_ever(name: str) -> None:
    assert has_hash(name)
    assert SiteSettings().cache_control(name) == IMMUTABLE


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "my-important.js", "logo-version2.png", "photo-20260131.jpg", "jquery-3.5.1.min.js",
        "a.12345678.js", "IMG-Image001.png", "feedface/x.js", "a-deadbeef.js", "report.final2026.pdf",
        "8e2f1c3d.js", "a.8e2f1c3d",
    ],
)  # fmt: skip
def test_names_without_a_hash_are_asked_for_again(name: str) -> None:
    assert not has_hash(name)
    assert SiteSettings().cache_control(name) == REVALIDATE


def test_the_first_rule_that_fits_says_how_long_a_file_keeps() -> None:
    rules = (CacheRule("*.json", "no-store"), CacheRule("assets/*", "public, max-age=60"))
    settings = SiteSettings(cache=rules).check()
    assert settings.cache_control("assets/a.json") == "no-store"
    assert settings.cache_control("assets/b.8e2f1c3d.js") == "public, max-age=60"
    assert settings.cache_control("b.8e2f1c3d.js") == IMMUTABLE


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (SiteSettings(prefix="site"), "prefix"),
        (SiteSettings(prefix="/"), "prefix"),
        (SiteSettings(prefix="../"), "prefix"),
        (SiteSettings(index="a/b.html"), "index"),
        (SiteSettings(index=".."), "index"),
        (SiteSettings(fallback="../x"), "fallback"),
        (SiteSettings(not_found="a\x00"), "not_found"),
        (SiteSettings(cache=(CacheRule("*", "no-store\r\nX: y"),)), "cache"),
        (SiteSettings(cache=(CacheRule("", "no-store"),)), "cache"),
        (SiteSettings(cache=(CacheRule("*", "no-store"),) * 51), "cache"),
    ],
)
def test_settings_that_cannot_be_name_their_field(settings: SiteSettings, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings.check()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/index.html", "text/html; charset=utf-8"),
        ("A.JPG", "image/jpeg"),
        ("x.tar.gz", "application/gzip"),
        ("Makefile", "application/octet-stream"),
        ("a.html/b", "application/octet-stream"),
        ("x.unheard-of", "application/octet-stream"),
    ],
)
def test_the_ending_of_a_name_tells_the_content_type(path: str, kind: str) -> None:
    assert media_type(path) == kind
    assert check_content_type(kind) == kind


@pytest.mark.parametrize("kind", ["", "text", "text/html\r\nX: y", "a/b; c", "text/html;charset=é", "x" * 300 + "/y"])
def test_what_is_no_content_type_is_refused(kind: str) -> None:
    with pytest.raises(Invalid):
        check_content_type(kind)


@pytest.mark.parametrize(
    "metadata", [{"": "x"}, {"a b": "x"}, {"a": 7}, {"a": "x\ny"}, {"a": "x" * 5000}, {"a": "\ud800"}]
)
def test_what_is_no_metadata_is_refused(metadata: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        check_metadata(metadata)
