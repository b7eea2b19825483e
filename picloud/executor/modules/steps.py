"""Durable steps: what a run has done up to one of these is done for good, whatever becomes of the run.

    step(name, || …)                       the closure's value; once committed, no further run calls the closure
    sleep("2h")                            the run ends, and goes on here after that time
    wait_for(topic, filter, timeout)       the run ends, and goes on here with the message, or with () after the time
    wait_for(topic, timeout)               with any message of the topic

A further run begins at the script's beginning and is answered from the record, so it comes to the same place by the
same way. Therefore a closure has random numbers of its own (whether it is called or not, those behind it are the same),
may not change variables around it, and gives what can be recorded. Lines that were logged in front of a checkpoint are
kept with it, and not logged again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import MOST_READINGS, ScriptHost, script_host
from picloud.executor.plain import NotPlain, plain, value_of
from picloud.executor.scheduler import CallRefused, RunEnded
from picloud.rhai.errors import thrown
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr, Shared

FUNCTIONS: Final = Package("steps")
SERVICE: Final = "steps"

_UNKNOWN: Final = ", of which a further run wouldn't know: have it give the new value instead"


@FUNCTIONS.function("step", "string", "Fn", run=True, volatile=True)
def step(run: Run, name: str, closure: FnPtr) -> Any:
    """Return what the closure gives, or gave when it was called."""
    host = script_host(run)
    title = f'step("{name}")'
    _check_outside(host, title)
    number = host.steps = host.steps + 1
    begun = _ask(host, "step", [name])
    if "value" in begun:
        return value_of(begun["value"])
    readings = len(host.readings)
    around = _captured(closure)
    with _inside(host, name, number):
        given = run.call(closure, ())
    try:
        value = plain(given)
    except NotPlain as error:
        raise refusal(title, f"what its closure gives can't be recorded: {error}") from None
    if _captured(closure) != around:
        raise refusal(title, f"its closure changed a variable around it{_UNKNOWN}")
    del host.readings[readings:]
    _check_readings(host, title)
    _ask(host, "done", [name, value], commits=True)
    return value_of(value)


@FUNCTIONS.function("sleep", "string", run=True, volatile=True)
def sleep(run: Run, time: str) -> None:
    """End the run, to go on behind here after ``time``."""
    _suspend(script_host(run), "sleep", [time])


@FUNCTIONS.function("wait_for", "string", "map", "string", run=True, volatile=True)
def wait_for(run: Run, topic: str, wanted: dict[str, Any], timeout: str) -> Any:
    """End the run, to go on behind here with a message of the topic whose data has the ``wanted`` members."""
    try:
        sent = plain(wanted)
    except NotPlain as error:
        raise refusal("wait_for", f"the filter can't be sent: {error}") from None
    return _suspend(script_host(run), "wait_for", [topic, sent, timeout])


@FUNCTIONS.function("wait_for", "string", "string", run=True, volatile=True)
def wait_for_any(run: Run, topic: str, timeout: str) -> Any:
    """End the run, to go on behind here with any message of the topic."""
    return wait_for(run, topic, {}, timeout)


def _suspend(host: ScriptHost, function: str, args: list[Any]) -> Any:
    _check_outside(host, function)
    _check_readings(host, function)
    return value_of(_ask(host, function, args, commits=True).get("value"))


def _ask(host: ScriptHost, function: str, args: list[Any], *, commits: bool = False) -> dict[str, Any]:
    """What the orchestrator says: the run's time from here on, and the value if there is one."""
    active = host.active
    if commits:
        active.tell(host.readings)
    try:
        answer = active.call(SERVICE, function, args) or {}
    except CallRefused as error:
        raise thrown(str(error)) from None
    if "end" in answer:
        raise RunEnded(answer["end"], "the run goes on later")
    if "now" in answer:
        active.message.now_ms = answer["now"]
    return answer


def _check_outside(host: ScriptHost, title: str) -> None:
    if host.inside is not None:
        raise refusal(title, f'it is inside of step("{host.inside}"): a step has no checkpoints inside')


def _check_readings(host: ScriptHost, title: str) -> None:
    if len(host.readings) >= MOST_READINGS:
        raise refusal(title, f"timestamp() was read {MOST_READINGS:,} times, more than can be recorded")


@contextmanager
def _inside(host: ScriptHost, name: str, number: int) -> Iterator[None]:
    """Give the closure random numbers that only it has."""
    outside, last_uuid = host.random, host.last_uuid
    host.random = Random(f"{host.active.message.seed} {number}")
    host.inside = name
    try:
        yield
    finally:
        host.inside = None
        host.random, host.last_uuid = outside, last_uuid


def _captured(closure: FnPtr) -> list[Any]:
    """What the variables around a closure hold, as far as it can be told."""
    found = []
    for cell in closure.curry:
        if type(cell) is Shared and not cell.is_lent:
            try:
                found.append(plain(cell.value))
            except NotPlain:
                found.append(None)
    return found
