"""Digests in headers, as RFC 9530 has them."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest

from picloud.http.contents import disposition
from picloud.http.digests import digest_of, expected
from picloud.http.problems import Problem

HASH = sha256(b"hello").hexdigest()
TOLD = b64encode(sha256(b"hello").digest()).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("", None),
        (f"sha-256=:{TOLD}:", HASH),
        (f"  sha-256=:{TOLD}:  ", HASH),
        (f"sha-512=:AAAA:, sha-256=:{TOLD}:", HASH),
        (f"sha-256=:{TOLD}:;q=1, md5=:AAAA:", HASH),
        ("md5=:AAAA:", None),
        ("crc32c=:AAAA:, unixsum=::", None),
    ],
)
def test_the_digest_that_is_told_is_found(header: str | None, found: str | None) -> None:
    assert expected(header, "Repr-Digest") == found
    assert expected(digest_of(HASH), "Repr-Digest") == HASH


@pytest.mark.parametrize("header", ["rubbish", "sha-256=abc", "sha-256=:AAAA:", "sha-256=:$$$:", "sha-256=:A:", HASH])
def test_what_is_no_digest_is_refused_by_name(header: str) -> None:
    with pytest.raises(Problem) as refused:
        expected(header, "Content-Digest")
    assert (refused.value.status, refused.value.extensions["field"]) == (400, "Content-Digest")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a/b.txt", 'attachment; filename="b.txt"'),
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("é.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"),
        ("a;b%0d.txt", "attachment; filename=\"a_b_0d.txt\"; filename*=UTF-8''a%3Bb%250d.txt"),
    ],
)
def test_a_name_can_put_nothing_else_into_the_header(path: str, said: str) -> None:
    assert disposition("attachment", path) == said
