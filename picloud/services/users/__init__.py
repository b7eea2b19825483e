"""``users::``: accounts of an app's own users, who sign in to what its scripts offer.

    accounts.py   accounts as runs see them, and the draft: what a run has done to them and is to be committed
    store.py      what was committed before, from the database
    keys.py       the keys that people's data is sealed with, and marks: keyed digests of what is looked for
    guesses.py    how often somebody may try
    hashing.py    what is asked of whoever hashes passwords
    options.py    the options of functions, read and checked
    people.py     register, get, find, list, update, delete; passwords
    sessions.py   sign_in, session, sign_out, sessions; tokens
    codes.py      one-time codes
    service.py    all of it, as the functions that scripts call

In come plain values, out go plain values; passwords, tokens and codes are in no event, no record and no row. What a run
does is committed with its outcome, but for guesses, which count at once.
"""

from picloud.services.users.service import SECRET_ARGUMENTS, Users

__all__ = ["SECRET_ARGUMENTS", "Users"]
