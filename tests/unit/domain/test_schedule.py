"""When schedules are due, above all where the clock on the wall is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain.errors import Invalid
from picloud.domain.schedule import Schedule

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def due(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next due times behind ``after`` (UTC), on the clock of the zone, with its offset."""
    found = Schedule.parse(expression, zone).preview(after=datetime.fromisoformat(f"{after}+00:00"), count=count)
    assert all(one.tzinfo is UTC for one in found)
    return [one.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M %z") for one in found]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        (BERLIN, "30 2 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 02:30 +0200"]),
        (NEW_YORK, "30 2 * * *", "2026-03-07 12:00", ["03-08 03:00 -0400", "03-09 02:30 -0400"]),
        # Half an hour is skipped there: 02:15 is, 02:45 is not.
        (LORD_HOWE, "15 2 * * *", "2026-10-03 10:00", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        (LORD_HOWE, "45 2 * * *", "2026-10-03 10:00", ["10-04 02:45 +1100", "10-05 02:45 +1100"]),
        # Two skipped times are one run at the end of the gap, and what is due then anyway is that same run.
        (BERLIN, "15,45 2 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 02:15 +0200"]),
        (BERLIN, "0 2,3 * * *", "2026-03-28 12:00", ["03-29 03:00 +0200", "03-30 02:00 +0200"]),
    ],
)
def test_a_fixed_hour_that_is_skipped_in_spring_is_due_at_the_end_of_the_gap(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert due(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        (BERLIN, "30 2 * * *", "2026-10-24 12:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31 12:00", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
        (LORD_HOWE, "45 1 * * *", "2026-04-04 10:00", ["04-05 01:45 +1100", "04-06 01:45 +1030"]),
        # Also for who begins to look between the two passes, and within the second one.
        (BERLIN, "30 2 * * *", "2026-10-25 00:45", ["10-26 02:30 +0100"]),
        (BERLIN, "30 2 * * *", "2026-10-25 01:10", ["10-26 02:30 +0100"]),
    ],
)
def test_a_fixed_hour_that_comes_twice_in_autumn_is_due_in_the_first_pass(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert due(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE])
@pytest.mark.parametrize("expression", ["*/15 * * * *", "0 */1 * * *", "@hourly"])
def test_what_runs_every_hour_goes_on_evenly_in_real_time(zone: str, expression: str) -> None:
    schedule = Schedule.parse(expression, zone)
    step = timedelta(minutes=15) if expression.startswith("*/15") else timedelta(hours=1)
    gaps = set()
    for since in (datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)):
        found = schedule.between(since, since + timedelta(days=40))
        gaps |= {later - earlier for earlier, later in pairwise(found)}
    if zone == LORD_HOWE and step == timedelta(hours=1):
        # Its clock is moved by half an hour: full hours on it can't be even.
        assert gaps == {step, timedelta(minutes=90)}
    else:
        assert gaps == {step}


@given(
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "Asia/Kathmandu", "UTC"]),
    expression=st.sampled_from(
        ["30 2 * * *", "*/20 * * * *", "0 0 L * *", "0 9 * * 1#2", "*/20 30 1 * * *", "0 0 29 2 *", "59 23 31 12 *"]
    ),
    seconds=st.integers(0, 4 * 366 * 86_400),
)
def test_due_times_go_forward_and_do_not_depend_on_where_one_begins(zone: str, expression: str, seconds: int) -> None:
    schedule = Schedule.parse(expression, zone)
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    found = schedule.preview(after=begin, count=4)
    assert begin < found[0] < found[1] < found[2] < found[3]
    assert schedule.preview(after=found[1], count=2) == found[2:]
    between = begin + (found[0] - begin) / 2
    assert schedule.next_after(between) == found[0]


def test_seconds_come_first_and_the_last_day_is_l() -> None:
    schedule = Schedule.parse("*/30 0 12 * * *")
    assert [d.second for d in schedule.preview(after=datetime(2026, 1, 1, tzinfo=UTC), count=3)] == [0, 30, 0]
    assert due("0 0 L 2 *", "UTC", "2028-01-01 00:00", 1) == ["02-29 00:00 +0000"]
    assert due("0 0 * * 5#2", "UTC", "2026-10-01 00:00", 1) == ["10-09 00:00 +0000"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("* * *", "has 3 fields"),
        ("61 * * * *", "out of range"),
        ("0 0 31 2 *", "never comes"),
        ("H * * * *", "by chance"),
        ("R(0-5) * * * *", "by chance"),
        ("@reboot", "expected @hourly"),
        ("a b c d e", "no schedule"),
        ("0 0 * * *" + " " * 300 + "x" * 300, "characters"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(expression: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        Schedule.parse(expression)
    assert refused.value.field == "config.cron"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "CEST-2", "Europe"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(Invalid, match="no time zone"):
        Schedule.parse("0 0 * * *", zone)
