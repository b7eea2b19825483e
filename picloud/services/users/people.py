"""Accounts: made, found, changed, removed; their passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from picloud.domain.merge_patch import merge
from picloud.domain.users import (
    check_data,
    check_password,
    check_role,
    check_roles,
    compared_name,
    plain_name,
    plain_password,
)
from picloud.log.ids import new_id
from picloud.services.arguments import kind_of, options_of, refused_as
from picloud.services.kv import now_of
from picloud.services.users import options
from picloud.services.users.accounts import Account, UsersDraft
from picloud.services.users.guesses import ADDRESSES, PASSWORDS, Guesses, answer
from picloud.services.users.hashing import Busy, Hashing
from picloud.services.users.keys import Keys
from picloud.services.users.store import NAME, PASSWORD, PERSON, Store
from picloud.services.work import ServiceError, Work

_BUSY_SECONDS: Final = 1


class People:
    """See the module."""

    def __init__(self, store: Store, keys: Keys, guesses: Guesses, hashing: Hashing) -> None:
        self._store = store
        self._keys = keys
        self._guesses = guesses
        self._hashing = hashing
        self.functions: dict[str, Callable[..., Any]] = {
            "register": self.register,
            "get": self.get,
            "find": self.find,
            "list": self.list,
            "update": self.update,
            "delete": self.delete,
            "set_password": self.set_password,
            "verify": self.verify,
            "has_role": self.has_role,
        }

    def register(self, work: Work, name: Any, password: Any, given: Any = None) -> dict[str, Any] | None:
        """Make an account, with no password if that is (); None if somebody has the name."""
        function = "users::register"
        given = options_of(function, given, options.OF_REGISTER)
        with refused_as(function):
            name = plain_name(options.text_of(function, name, "name"))
            roles = check_roles(given.get("roles", []))
            data = check_data(given.get("data", {}))
            plain = None if password is None else check_password(options.text_of(function, password, "password"), name)
        mark = self.mark_of(work, name)
        if self._store.by_mark(work, mark) is not None:
            return None
        kept = None if plain is None else self._hashed(function, plain)
        key = self._keys.new(work.app, new_id())
        account = Account(
            key=key,
            name=name,
            mark=mark,
            roles=tuple(roles),
            data=data,
            disabled=False,
            password=kept,
            registered=now_of(work),
            version=1,
            epoch=1,
        )
        sealed = None if kept is None else key.seal(kept, PASSWORD)
        work.draft(UsersDraft).register(account, key.seal({"name": name, "data": data}, PERSON), sealed)
        return account.shown()

    def get(self, work: Work, user: Any) -> dict[str, Any] | None:
        """The user with that id, None if there is none."""
        id_ = options.id_of("users::get", user)
        account = self._store.by_id(work, id_) if id_ is not None else None
        return account.shown() if account is not None else None

    def find(self, work: Work, name: Any) -> dict[str, Any] | None:
        """The user with that name, None if there is none."""
        account = self.named(work, options.text_of("users::find", name, "name"))
        return account.shown() if account is not None else None

    def list(self, work: Work, given: Any = None) -> dict[str, Any]:
        """Users in the order in which they registered, and the cursor of the next page, None at the end."""
        function = "users::list"
        given = options_of(function, given, options.OF_LIST)
        limit = given.get("limit", options.MAX_PAGE)
        if not 1 <= limit <= options.MAX_PAGE:
            raise ServiceError(f"{function}: limit is from 1 to {options.MAX_PAGE}, not {limit}")
        after = None
        if "cursor" in given:
            after = options.id_of(function, given["cursor"])
            if after is None:
                raise ServiceError(f"{function}: the cursor {given['cursor'][:60]!r} is none that {function} gave")
        role = given.get("role")
        if role is not None:
            with refused_as(function):
                check_role(role)
        found = self._store.page(work, after=after, role=role, limit=limit + 1)
        shown = found[:limit]
        return {
            "users": [account.shown() for account in shown],
            "cursor": str(shown[-1].id) if len(found) > limit else None,
        }

    def update(self, work: Work, user: Any, changes: Any) -> dict[str, Any]:
        """Change what is given: data is merged into that which is there (RFC 7396)."""
        function = "users::update"
        if not isinstance(changes, dict):
            raise ServiceError(f"{function} takes what is to be changed as a map, not {kind_of(changes)}")
        given = options_of(function, changes, options.OF_UPDATE)
        account = self.existing(work, function, user)
        with refused_as(function):
            name = plain_name(given["name"]) if "name" in given else account.name
            data = check_data(merge(account.data, given["data"])) if "data" in given else account.data
            roles = check_roles(given["roles"]) if "roles" in given else [*account.roles]
        mark = self.mark_of(work, name)
        if mark != account.mark and self._store.by_mark(work, mark) is not None:
            raise ServiceError(f"{function}: somebody else has that name")
        changed = replace(
            account,
            name=name,
            mark=mark,
            data=data,
            roles=tuple(roles),
            disabled=given.get("disabled", account.disabled),
        )
        if changed != account:
            is_other_person = (name, data) != (account.name, account.data)
            work.draft(UsersDraft).change(
                changed,
                mark=mark if mark != account.mark else None,
                sealed=account.key.seal({"name": name, "data": data}, PERSON) if is_other_person else None,
                roles=roles if changed.roles != account.roles else None,
                disabled=changed.disabled if changed.disabled != account.disabled else None,
            )
        return changed.shown()

    def delete(self, work: Work, user: Any) -> bool:
        """Take the account away, and with it all that can be read of the person; whether there was one."""
        id_ = options.id_of("users::delete", user)
        account = self._store.by_id(work, id_) if id_ is not None else None
        if account is None:
            return False
        work.draft(UsersDraft).remove(account)
        return True

    def set_password(self, work: Work, user: Any, password: Any) -> None:
        """Give the user another password, and end all sessions."""
        function = "users::set_password"
        account = self.existing(work, function, user)
        with refused_as(function):
            plain = check_password(options.text_of(function, password, "password"), account.name)
        kept = self._hashed(function, plain)
        work.draft(UsersDraft).set_password(account, kept, account.key.seal(kept, PASSWORD))

    def verify(self, work: Work, name: Any, password: Any, given: Any = None) -> dict[str, Any] | None:
        """The user, if the password is right; None if it isn't, nobody has the name, or the account is disabled."""
        function = "users::verify"
        given = options_of(function, given, options.OF_GUESS)
        account = self.proven(work, function, (name, password), options.address_of(function, given))
        return account.shown() if account is not None else None

    def has_role(self, work: Work, user: Any, role: Any) -> bool:
        """Whether the user, given as a map or an id, has the role and is not disabled; nobody, (), has none."""
        function = "users::has_role"
        role = options.text_of(function, role, "role")
        if user is None:
            return False
        id_ = options.id_of(function, user)
        account = self._store.by_id(work, id_) if id_ is not None else None
        return account is not None and not account.disabled and role in account.roles

    def proven(self, work: Work, function: str, shown: tuple[Any, Any], address: str) -> Account | None:
        """The account that name and password open. Takes as long for a name that nobody has."""
        name = options.text_of(function, shown[0], "name")
        password = options.text_of(function, shown[1], "password")
        mark = self.mark_of(work, name)
        if address:
            self._guesses.take(work, function, ADDRESSES, address)
        self._guesses.take(work, function, PASSWORDS, mark)
        account = self._store.by_mark(work, mark)
        kept = account.password if account is not None else None
        right = self._matches(work, function, plain_password(password), kept or self._hashing.nobodys)
        if not right or account is None or kept is None or account.disabled:
            return None
        self._guesses.forgive(work.app, PASSWORDS, mark)
        if address:
            self._guesses.give_back(work.app, ADDRESSES, address)
        if self._hashing.outdated(kept):
            again = self._hashed(function, plain_password(password))
            work.draft(UsersDraft).set_password(account, again, account.key.seal(again, PASSWORD), rehashed=True)
        return self._store.by_id(work, account.id)

    def named(self, work: Work, name: str) -> Account | None:
        """The account with that name."""
        return self._store.by_mark(work, self.mark_of(work, name))

    def existing(self, work: Work, function: str, user: Any) -> Account:
        """The account with that id. Raises :class:`ServiceError`."""
        id_ = options.id_of(function, user)
        account = self._store.by_id(work, id_) if id_ is not None else None
        if account is None:
            shown = user["id"] if isinstance(user, dict) else user
            raise ServiceError(f"{function}: there is no user with the id {str(shown)[:60]!r} in {work.app}")
        return account

    def mark_of(self, work: Work, name: str) -> str:
        """The mark of a name, whoever has it."""
        return self._keys.mark(work.app, NAME, compared_name(name))

    def _hashed(self, function: str, plain: bytes) -> str:
        with _not_too_busy(function):
            return self._hashing.hashed(plain)

    def _matches(self, work: Work, function: str, plain: bytes, kept: str) -> bool:
        """Whether it is the password; a run that is repeated because others got in its way knows it already."""
        asked = sha256(b"\x00".join((kept.encode(), plain))).digest()
        try:
            right: bool = work.outside.take(asked)
        except LookupError:
            with _not_too_busy(function):
                right = self._hashing.matches(plain, kept)
            work.outside.keep(asked, right)
        return right


@contextmanager
def _not_too_busy(function: str) -> Iterator[None]:
    try:
        yield
    except Busy as error:
        said = answer(503, {"error": str(error), "retry_after": _BUSY_SECONDS}, _BUSY_SECONDS)
        raise ServiceError(f"{function}: {error}", thrown=said) from None
