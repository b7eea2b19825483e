"""The cage: what a child gives up, for good, before it reads its first script.

``close`` is called once, after everything is imported. Each feature is tried and reported; only the required ones
stop the child if they are missing. What holds afterwards, if all are in force:

- files: no descriptor but the socket to the parent, /dev/null and the child's own memory statistics; none can be
  opened (seccomp), and nothing can grow (RLIMIT_FSIZE);
- user: not root, no groups, no capability, and no way to gain any (no_new_privs);
- network: a namespace without any interface, and no socket can be made;
- processes: no fork, no exec, no signal, no trace; the child dies with its parent;
- memory: the address space is bounded, and nothing new becomes executable.

Plain system calls through ctypes: Linux on x86-64 and aarch64. Run as a program, it closes itself in and prints the
features as JSON, which is what :func:`probe` reads. Standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

CAGED_UID: Final = 65530
"""The numeric user and group of children that root starts: reserved by Debian, owner of nothing."""

NOBODY: Final = 65534

MEANINGS: Final = {
    "limits": "memory, files and processes are bounded (rlimits)",
    "no_new_privileges": "no program can give it more rights (no_new_privs)",
    "user": "it runs as an ordinary user without groups",
    "capabilities": "it holds no capability",
    "network": "it has a network namespace of its own, without interfaces",
    "dies_with_parent": "it is killed when its parent dies (PDEATHSIG)",
    "system_calls": "it can't open files, make sockets, fork, exec or signal (seccomp)",
}
REQUIRED: Final = frozenset({"limits", "no_new_privileges"})


class Feature(NamedTuple):
    """One part of the cage. ``why_not`` is empty when it is in force."""

    name: str
    in_force: bool
    why_not: str = ""

    @property
    def required(self) -> bool:
        """Whether a child refuses to run without it."""
        return self.name in REQUIRED

    @property
    def meaning(self) -> str:
        """What it gives, as a sentence."""
        return MEANINGS[self.name]


class CageError(Exception):
    """A required part of the cage can't be had on this machine."""


_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_CLONE_NEWIPC: Final = 0x0800_0000
_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_SIGKILL: Final = 9
_EPERM: Final = 1
_CAPABILITY_VERSION_3: Final = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)


def close(*, memory_bytes: int, highest_fd: int) -> list[Feature]:
    """Close the calling process in. ``memory_bytes`` is what it may still take; descriptors above ``highest_fd`` go.

    Raises :class:`CageError` if a required feature is missing.
    """
    os.closerange(highest_fd + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    steps: list[tuple[str, Callable[[], None]]] = [
        ("network", _leave_network),
        ("user", _become_ordinary),
        ("capabilities", _drop_capabilities),
        ("no_new_privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        # After the change of user: the kernel forgets it there.
        ("dies_with_parent", lambda: _prctl(_PR_SET_PDEATHSIG, _SIGKILL)),
        ("limits", lambda: _limit(memory_bytes, highest_fd + 1)),
        ("system_calls", _filter_system_calls),
    ]
    features = [_tried(name, step) for name, step in steps]
    missing = [f"{f.name} ({f.why_not})" for f in features if f.required and not f.in_force]
    if missing:
        raise CageError("the cage lacks " + ", ".join(missing))
    return features


def probe() -> list[Feature]:
    """Which features a child started by this process would have. Takes about 50 ms.

    Raises :class:`CageError` if a child can't be started at all.
    """
    import json
    import subprocess

    command = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    try:
        ran = subprocess.run(command, env={}, capture_output=True, timeout=10, check=False)
        if ran.returncode:
            raise CageError(ran.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
        return [Feature(*fields) for fields in json.loads(ran.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise CageError(f"no child can be started: {error}") from error


def _tried(name: str, step: Callable[[], None]) -> Feature:
    try:
        step()
    except (OSError, ValueError) as error:
        return Feature(name, False, str(error))
    return Feature(name, True)


def _check(answer: int, call: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *words), f"prctl {option}")


def _leave_network() -> None:
    flags = _CLONE_NEWNET | _CLONE_NEWIPC
    if os.geteuid() != 0:
        flags |= _CLONE_NEWUSER
    _check(_libc.unshare(flags), "unshare")


def _become_ordinary() -> None:
    if os.geteuid() != 0:
        return
    os.setgroups([])
    try:
        os.setresgid(CAGED_UID, CAGED_UID, CAGED_UID)
        os.setresuid(CAGED_UID, CAGED_UID, CAGED_UID)
    except OSError:
        # In a user namespace that maps few ids, nobody is the one that exists.
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def _drop_capabilities() -> None:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    _check(
        _libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())),
        "capset",
    )


def _limit(memory_bytes: int, files: int) -> None:
    pages = Path("/proc/self/statm").read_bytes().split()[0]
    used = int(pages) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, used + memory_bytes),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


# What an interpreter needs that computes, waits and speaks over descriptors it has. All else is EPERM.
# Numbers from the kernel's tables: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
_ALLOWED: Final = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "close": 3,
        "fstat": 5,
        "poll": 7,
        "lseek": 8,
        "munmap": 11,
        "brk": 12,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "rt_sigreturn": 15,
        "pread64": 17,
        "sched_yield": 24,
        "mremap": 25,
        "madvise": 28,
        "nanosleep": 35,
        "getpid": 39,
        "exit": 60,
        "gettimeofday": 96,
        "getrusage": 98,
        "sigaltstack": 131,
        "gettid": 186,
        "futex": 202,
        "restart_syscall": 219,
        "clock_gettime": 228,
        "clock_getres": 229,
        "clock_nanosleep": 230,
        "exit_group": 231,
        "ppoll": 271,
        "getrandom": 318,
        "rseq": 334,
    },
    "aarch64": {
        "close": 57,
        "lseek": 62,
        "read": 63,
        "write": 64,
        "pread64": 67,
        "ppoll": 73,
        "fstat": 80,
        "exit": 93,
        "exit_group": 94,
        "futex": 98,
        "nanosleep": 101,
        "clock_gettime": 113,
        "clock_getres": 114,
        "clock_nanosleep": 115,
        "sched_yield": 124,
        "restart_syscall": 128,
        "sigaltstack": 132,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "rt_sigreturn": 139,
        "getrusage": 165,
        "gettimeofday": 169,
        "getpid": 172,
        "gettid": 178,
        "brk": 214,
        "munmap": 215,
        "mremap": 216,
        "madvise": 233,
        "getrandom": 278,
        "rseq": 293,
    },
}
_UNLESS_EXECUTABLE: Final = {"x86_64": (9, 10), "aarch64": (222, 226)}  # mmap, mprotect
_AUDIT_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_PROT_EXEC: Final = 4

_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_BITS: Final = 0x45
_RETURN: Final = 0x06
_NUMBER_AT, _ARCH_AT, _THIRD_ARGUMENT_AT = 0, 4, 32
_KILL: Final = 0x8000_0000
_REFUSE: Final = 0x0005_0000 | _EPERM
_ALLOW: Final = 0x7FFF_0000


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(_Instruction)),
    )


def _filter_system_calls() -> None:
    machine = os.uname().machine
    if machine not in _ALLOWED or sys.maxsize < 2**32:
        raise OSError(f"the list of system calls isn't known for {machine}")
    code = _assemble(machine)
    instructions = (_Instruction * len(code))(*(_Instruction(*fields) for fields in code))
    program = _Program(len(code), instructions)
    _check(
        _libc.prctl(
            _PR_SET_SECCOMP,
            ctypes.c_ulong(_SECCOMP_MODE_FILTER),
            ctypes.byref(program),
            0,
            0,
        ),
        "prctl seccomp",
    )


def _assemble(machine: str) -> list[tuple[int, int, int, int]]:
    allowed = sorted(_ALLOWED[machine].values())
    checked = _UNLESS_EXECUTABLE[machine]
    # The tail is: refuse · load the protection · executable? refuse, else allow · allow · refuse
    tail = [
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _THIRD_ARGUMENT_AT),
        (_JUMP_BITS, 1, 0, _PROT_EXEC),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    left = len(allowed) + len(checked)
    for number in allowed:
        left -= 1
        code.append((_JUMP_EQUAL, left + 3, 0, number))
    for number in checked:
        left -= 1
        code.append((_JUMP_EQUAL, left + 1, 0, number))
    return code + tail


if __name__ == "__main__":
    import json

    print(json.dumps(close(memory_bytes=64 * 1024 * 1024, highest_fd=2)))
