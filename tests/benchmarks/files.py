"""Files over HTTP, as streams: how many megabytes a second go up and down."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.acceptance.platform import Platform
from tests.benchmarks.client import request_bytes

MIB: Final = 1024 * 1024
PATH: Final = "/api/v1/apps/bench/files/"


def upload(platform: Platform, name: str, mib: int) -> float:
    """Put a file of so many MiB, the same for the same name; return MB a second."""
    headers = {"Authorization": f"Bearer {platform.token}", "Content-Length": str(mib * MIB)}
    pieces = list(_pieces(name, mib))
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=600)
    began = time.perf_counter()
    connection.request("PUT", PATH + name, iter(pieces), headers)
    answer = connection.getresponse()
    assert answer.status in (200, 201), answer.read()
    elapsed = time.perf_counter() - began
    connection.close()
    return mib * MIB / elapsed / 1e6


def download(platform: Platform, name: str, mib: int) -> float:
    """Get the file; return MB a second."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=600)
    began = time.perf_counter()
    connection.request("GET", PATH + name, headers={"Authorization": f"Bearer {platform.token}"})
    answer = connection.getresponse()
    read = 0
    while piece := answer.read(MIB):
        read += len(piece)
    assert read == mib * MIB
    elapsed = time.perf_counter() - began
    connection.close()
    return read / elapsed / 1e6


def downloads(platform: Platform, name: str, mib: int, count: int) -> float:
    """Get the file so many times at once; return MB a second of all together."""
    began = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: download(platform, name, mib), range(count)))
    return count * mib * MIB / (time.perf_counter() - began) / 1e6


def part_request(platform: Platform, name: str, mib: int) -> bytes:
    """A request for 1 KiB out of the middle of the file."""
    start = mib * MIB // 2 + 777
    headers = f"Authorization: Bearer {platform.token}\r\nRange: bytes={start}-{start + 1023}\r\n"
    return request_bytes("GET", PATH + name, headers=headers)


def _pieces(name: str, mib: int) -> Iterator[bytes]:
    made = random.Random(name)
    for _ in range(mib):
        yield made.randbytes(MIB)
