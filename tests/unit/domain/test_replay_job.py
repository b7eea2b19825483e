"""A replay job asks for each of its selection once, and for nothing while it is paused or when it is aborted."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from picloud.domain import replay_job
from picloud.domain.errors import Conflict, Invalid
from picloud.domain.merge_patch import merge
from picloud.domain.rate import Rate
from picloud.domain.replay_job import (
    MOST_SELECTED,
    Chosen,
    Counts,
    Edit,
    JobState,
    ReplayJob,
    ReplayOrder,
    Skip,
    replay_id,
    selected,
    selection_content,
)

ORDER = ReplayOrder(app="demo", name="mend-orders", chosen=Chosen(script="orders"))


def job(count: int = 3) -> ReplayJob:
    return replay_job.evolve(None, replay_job.start(ORDER, selection="ab" * 32, count=count))


def advanced(state: ReplayJob, reached: int, *skipped: Skip) -> ReplayJob:
    return replay_job.evolve(state, replay_job.advance(state, reached, list(skipped)))


def test_a_job_goes_from_its_start_to_its_end_by_way_of_a_pause() -> None:
    state = advanced(job(), 2, Skip(UUID(int=1), "purged"))
    assert (state.state, state.version, state.asked, state.skipped) == (JobState.RUNNING, 2, 1, 1)
    state = replay_job.evolve(state, replay_job.pause(state, "full"))
    with pytest.raises(Conflict, match="asks for nothing: it is paused"):
        replay_job.advance(state, 3, [])
    with pytest.raises(Conflict, match="can't be paused: it is paused"):
        replay_job.pause(state, "again")
    state = replay_job.evolve(state, replay_job.resume(state))
    state = advanced(state, 3)
    assert state.state is JobState.FINISHING
    for decide in (lambda: replay_job.pause(state, ""), lambda: replay_job.abort(state, "late")):
        with pytest.raises(Conflict, match="finishing, all its replays were asked for"):
            decide()
    state = replay_job.evolve(state, replay_job.finish(state, Counts(asked=2, skipped=1, succeeded=2)))
    assert state.state is JobState.FINISHED
    with pytest.raises(Conflict):
        replay_job.resume(state)


def test_an_aborted_job_is_never_anything_else() -> None:
    state = advanced(job(), 1)
    event = replay_job.abort(state, "enough")
    assert (event.asked, event.skipped) == (1, 0)
    state = replay_job.evolve(state, event)
    for decide in (
        lambda: replay_job.advance(state, 2, []),
        lambda: replay_job.resume(state),
        lambda: replay_job.abort(state, "again"),
        lambda: replay_job.finish(state, Counts()),
    ):
        with pytest.raises(Conflict):
            decide()


def test_replays_have_ids_of_their_own_that_sort_as_they_are_asked_for() -> None:
    mine, other = replay_job.job_id("demo", "one"), replay_job.job_id("demo", "two")
    ids = [replay_id(mine, number) for number in range(MOST_SELECTED)]
    assert ids == sorted(set(ids))
    assert ids[0].version == 8
    assert not set(ids[:100]) & {replay_id(other, number) for number in range(100)}


def test_a_selection_is_kept_as_it_was() -> None:
    ids = [uuid4() for _ in range(10)]
    content = selection_content(ids)
    assert len(content) == 160
    assert selected(content, 0, 4) + selected(content, 4, 4) + selected(content, 8, 4) == ids
    assert selected(content, 10, 4) == []


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (replace(ORDER, name="No Name"), "name"),
        (replace(ORDER, version="latest"), "version"),
        (replace(ORDER, version="3", chosen=Chosen()), "version"),
        (replace(ORDER, edit=Edit(body=replay_job.Content(text="1"), patch="{}")), "patch"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_its_field(order: ReplayOrder, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        order.check()
    assert refused.value.field == field


@pytest.mark.parametrize(("count", "what"), [(0, "nothing is there"), (MOST_SELECTED + 1, "at most")])
def test_a_selection_is_neither_empty_nor_without_bounds(count: int, what: str) -> None:
    with pytest.raises(Invalid, match=what):
        replay_job.start(ORDER, selection="ab" * 32, count=count)


@pytest.mark.parametrize(
    ("text", "interval", "shown"),
    [("50/s", 0.02, "50/s"), ("600/m", 0.1, "600/m"), ("1/90s", 90.0, "1/1m30s"), ("10/1h", 360.0, "10/h")],
)
def test_rates(text: str, interval: float, shown: str) -> None:
    rate = Rate.parse(text, field="rate")
    assert (rate.interval, str(rate)) == (interval, shown)


@pytest.mark.parametrize("text", ["", "50", "0/s", "fast", "5/s/s", "-1/s", "1/0s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Rate.parse(text, field="rate")
    assert refused.value.field == "rate"


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        # The test cases of RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(target: object, patch: object, merged: object) -> None:
    assert merge(target, patch) == merged
