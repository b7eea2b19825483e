"""A mail's life: whatever an attempt comes to, everybody is delivered to, refused or waiting, and nobody twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.domain import mail as mails
from picloud.domain.errors import Conflict
from picloud.domain.mail import (
    FIRST_DELAY,
    LONGEST_DELAY,
    LONGEST_TRY,
    Mail,
    MailAttemptFailed,
    MailFailed,
    MailQueued,
    MailSent,
    MailState,
    Tried,
    delay_behind,
)

AT = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE = ("ada@example.org", "bob@example.org", "eve@example.org")


def queued() -> Mail:
    event = MailQueued(
        originator_id=UUID(int=5),
        originator_version=1,
        invocation=UUID(int=6),
        script="shop",
        sender="shop@example.org",
        recipients=list(PEOPLE),
        subject="Hello",
        content="ab" * 32,
        size=7,
    )
    return mails.evolve(None, event, AT)


fates = st.lists(st.sampled_from(("delivered", "refused", "waiting")), min_size=3, max_size=3)
steps = st.one_of(
    st.tuples(st.just("try"), fates, st.integers(0, 30)),
    st.tuples(st.sampled_from(("keep", "cancel", "requeue")), st.just([]), st.integers(0, 30)),
)


@given(st.lists(steps, max_size=12), st.floats(0, 1))
def test_whatever_happens_each_recipient_is_at_one_place(given_steps: list[Any], random: float) -> None:
    mail, now = queued(), AT
    for verb, fate, hours in given_steps:
        now += timedelta(hours=hours)
        before = mail
        if verb == "try":
            if mail.state is not MailState.QUEUED:
                continue
            found = dict(zip(mail.waiting, fate, strict=False))
            tried = Tried(
                code=450,
                text="later",
                delivered=[each for each, what in found.items() if what == "delivered"],
                refused={each: "550 no" for each, what in found.items() if what == "refused"},
            )
            event = mails.settle(mail, tried, now=now, random=random)
            mail = mails.evolve(mail, event, now)
            if isinstance(event, MailAttemptFailed):
                assert mail.waiting
                assert now < event.due < mail.since + LONGEST_TRY
            else:
                assert mail.waiting == []
            assert isinstance(event, MailFailed) == (mail.state is MailState.FAILED)
            assert isinstance(event, MailSent) == (mail.state is MailState.SENT)
            assert (mail.state is MailState.FAILED) == (not mail.waiting and not mail.delivered)
            assert mail.attempts == before.attempts + 1
        else:
            try:
                event = {"keep": mails.keep, "cancel": lambda m: mails.cancel(m, "no"), "requeue": mails.requeue}[verb](
                    mail
                )
            except Conflict:
                continue
            mail = mails.evolve(mail, event, now)
        assert event.originator_version == before.version + 1 == mail.version
        assert sorted([*mail.delivered, *mail.refused, *mail.waiting]) == sorted(PEOPLE)
        assert set(before.delivered) <= set(mail.delivered), "who has got it has got it"
        assert (mail.due is not None) == (mail.state is MailState.QUEUED)


@given(st.integers(1, 200), st.floats(0, 1))
def test_delays_grow_to_an_hour(tries: int, random: float) -> None:
    delay = delay_behind(tries, random=random)
    assert FIRST_DELAY / 2 <= delay <= LONGEST_DELAY
    assert delay >= min(FIRST_DELAY * 2 ** min(tries - 1, 20), LONGEST_DELAY) / 2


def test_a_mail_that_is_requeued_has_two_days_again() -> None:
    late = AT + timedelta(days=3)
    mail = queued()
    failed = mails.settle(mail, Tried(code=450, text="later"), now=late, random=0.0)
    assert isinstance(failed, MailFailed)
    mail = mails.evolve(mail, failed, late)
    mail = mails.evolve(mail, mails.requeue(mail), late)
    again = mails.settle(mail, Tried(code=450, text="later"), now=late, random=0.0)
    assert isinstance(again, MailAttemptFailed)
    assert again.due == late + FIRST_DELAY / 2, "delays begin anew"
    assert again.attempt == 2


def test_what_cannot_be_is_refused() -> None:
    mail = queued()
    with pytest.raises(Conflict, match="it is tried again by itself"):
        mails.requeue(mail)
    sent = mails.evolve(mail, mails.settle(mail, Tried(code=250, text="ok", delivered=PEOPLE), now=AT, random=0.0), AT)
    with pytest.raises(Conflict, match="took it for everybody"):
        mails.requeue(sent)
    with pytest.raises(Conflict, match="only one that is queued"):
        mails.cancel(sent, "no")


def test_answers_are_cut() -> None:
    event = mails.settle(
        queued(), Tried(code=550, text="x" * 9_000, refused={PEOPLE[0]: "y" * 9_000}), now=AT, random=0.0
    )
    assert len(event.text) == mails.MOST_TEXT
    assert len(event.refused[PEOPLE[0]]) == mails.MOST_TEXT
