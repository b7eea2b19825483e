"""What a script could do if it broke out of the language: nothing, shown from inside the cage and from outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.executor import cage, process
from picloud.executor.pool import ExecutorPool

from .caged_python import python_command, run_python

MEMORY_MB = 128


@pytest.fixture(scope="module")
def pool() -> Iterator[ExecutorPool]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "command", python_command)
        patch.setenv("PICLOUD_SECRET", "of the parent")
        pool = ExecutorPool(lambda *call: None, memory_mb=MEMORY_MB)
        pool.start()
        yield pool
        pool.stop(0)


REFUSED = {
    "reads a file": "open('/etc/hostname').read()",
    "writes a file": "open('/tmp/escaped', 'w')",
    "lists a folder": "os.listdir('/')",
    "looks at a file": "os.stat('/etc/passwd')",
    "removes a file": "os.remove('/tmp/escaped')",
    "makes a link": "os.symlink('/etc', '/tmp/escaped')",
    "opens its own memory": "open('/proc/self/mem', 'rb')",
    "makes an internet socket": "socket.socket()",
    "makes a unix socket": "socket.socket(socket.AF_UNIX)",
    "makes a socket pair": "socket.socketpair()",
    "makes a pipe": "os.pipe()",
    "duplicates a descriptor": "os.dup(3)",
    "forks": "os.fork()",
    "executes": "os.execv('/bin/true', ['true'])",
    "spawns": "subprocess.run(['/bin/true'])",
    "kills its parent": "os.kill(os.getppid(), signal.SIGTERM)",
    "kills itself": "os.kill(os.getpid(), signal.SIGTERM)",
    "raises its limits": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "becomes root": "os.setuid(0)",
    "changes its priority": "os.nice(-5)",
    "maps executable memory": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_inside_the_cage_it_is_refused_when_a_script(pool: ExecutorPool, attempt: str) -> None:
    answer = run_python(pool, f"return repr({attempt})")
    assert isinstance(answer, dict), f"{attempt} went through: {answer}"
    assert answer["raised"] in {"PermissionError", "OSError", "BlockingIOError", "ValueError"}, answer


def test_a_thread_cannot_be_started(pool: ExecutorPool) -> None:
    answer = run_python(pool, "threading.Thread(target=print).start()")
    assert answer["raised"] == "RuntimeError"


def test_no_system_call_traces_or_mounts_or_makes_namespaces(pool: ExecutorPool) -> None:
    answers = run_python(
        pool,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        def errno_of(answer):
            return [answer, ctypes.get_errno()]
        return {
            "ptrace": errno_of(libc.ptrace(16, os.getpid(), 0, 0)),
            "mount": errno_of(libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0)),
            "unshare": errno_of(libc.unshare(0x10000000)),
            "prctl": errno_of(libc.prctl(3, 0, 0, 0, 0)),
            "mprotect": errno_of(libc.mprotect(ctypes.c_void_p(0), 4096, 7)),
        }
        """,
    )
    assert all(answer == [-1, 1] for answer in answers.values()), answers


def test_the_environment_is_empty(pool: ExecutorPool) -> None:
    assert run_python(pool, "return dict(os.environ)") == {}
    assert (
        run_python(
            pool,
            "libc = ctypes.CDLL(None); libc.getenv.restype = ctypes.c_char_p; "
            "return str(libc.getenv(b'PICLOUD_SECRET'))",
        )
        == "None"
    )
    assert Path(f"/proc/{pool.pids()[0]}/environ").read_bytes() == b""


def test_no_descriptor_is_open_but_the_socket_and_the_memory_statistics(pool: ExecutorPool) -> None:
    with Path("/etc/passwd").open("rb") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        held = ExecutorPool(lambda *call: None, memory_mb=MEMORY_MB)
        held.start()
        try:
            folder = Path(f"/proc/{held.pids()[0]}/fd")
            found = {int(link.name): str(link.readlink()) for link in folder.iterdir()}
        finally:
            held.stop(0)
    assert {fd: found[fd] for fd in (0, 1, 2)} == dict.fromkeys(range(3), "/dev/null")
    assert found[3].startswith("socket:")
    assert found[4].endswith("/statm")
    assert set(found) == {0, 1, 2, 3, 4}


def test_the_process_has_the_rights_of_nobody(pool: ExecutorPool) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{pool.pids()[0]}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapInh"], 16) == 0
    if pool.features()["system_calls"]:
        assert status["Seccomp"] == "2"
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) <= {str(cage.CAGED_UID), str(cage.NOBODY)}
        assert status["Groups"].strip() == ""


def test_the_network_namespace_is_its_own(pool: ExecutorPool) -> None:
    if not pool.features()["network"]:
        pytest.skip("the kernel gives no network namespace here")
    child, own = (Path(f"/proc/{who}/ns/net").readlink() for who in (pool.pids()[0], "self"))
    assert child != own


def test_limits_of_the_process_hold(pool: ExecutorPool) -> None:
    table = Path(f"/proc/{pool.pids()[0]}/limits").read_text()
    for name, most in (("open files", 5), ("processes", 0), ("core file size", 0), ("file size", 0)):
        assert re.search(rf"Max {name} +{most} +{most} ", table), f"{name} in {table}"
    answer = run_python(pool, f"return len(bytearray({MEMORY_MB} * 1024 * 1024 - 40_000_000))")
    assert answer == MEMORY_MB * 1024 * 1024 - 40_000_000


def test_computing_and_waiting_still_work_in_the_cage(pool: ExecutorPool) -> None:
    answer = run_python(
        pool,
        """
        import time
        time.sleep(0.001)
        return [sum(range(1000)), len(os.urandom(8)), len(str(2**5000)), "ä".encode("latin-1").decode("latin-1")]
        """,
    )
    assert answer == [499500, 8, 1506, "ä"]


def test_the_probe_says_what_the_children_say(pool: ExecutorPool) -> None:
    assert {feature.name: feature.in_force for feature in cage.probe()} == pool.features()


def test_every_feature_is_explained() -> None:
    probed = cage.probe()
    assert all(feature.meaning for feature in probed)
    assert {feature.name for feature in probed if feature.required} == {"limits", "no_new_privileges"}
