"""Collections of things that clients create, read, change and delete. Each handler is declared in one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from collections.abc import Collection as AnyOf
from datetime import datetime
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.wire import Answer, Call, Handler, Refusal, refuse, required, unexpected

__all__ = ["Collection", "Thing"]


@attrs.define
class Thing:
    """One thing of a collection."""

    id: str
    values: dict[str, Any]
    created: datetime
    updated: datetime


_EMPTY: Final[Mapping[str, Any]] = {}

Wrap = Callable[[list[Any]], Any]
"""Builds the body of an answer from the listed things."""


def _show(thing: Thing) -> Any:
    return thing.values


def _unknown(name: str) -> Refusal:
    return refuse("UnifiedWebService.REQUEST_FAILED.NotFound", f"The {name} could not be found.")


@attrs.frozen(kw_only=True, eq=False)
class Collection:
    """A declaration of things by account and id. `create`, `get`, `list`, `update` and `delete` make its handlers.

    A request names the account as `account_name` in its path, or as the member `account` in its query or body. The
    path names a thing by `id`.
    """

    name: str
    """The noun in error messages."""
    needs: Mapping[str, type] = attrs.field(factory=dict[str, type])
    """The required members of a new thing, and their types."""
    may_change: AnyOf[str] | None = None
    """The members that an update may set; None for all."""
    id: str = "id"
    """The name of the id in objects, and in paths unless `path` is given."""
    path: str | None = None
    """The name of the id in paths."""
    account: str = "accountName"
    unique: str | None = None
    """A member whose value is unique in an account."""
    times: tuple[str, str] | None = None
    """The members for the times of creation and of the last update."""
    show: Callable[[Thing], Any] = _show
    unknown: Callable[[str], Refusal] = _unknown
    """Makes the refusal of an unknown id, from `name`."""

    def things(self, platform: Platform, account_name: str) -> dict[str, Thing]:
        """Return the things of an account by id, oldest first."""
        return platform.room(self._state)[account_name]

    def create(self, *, status: int = 200, show: Callable[[Thing], Any] | None = None) -> Handler:
        """Make the handler that creates a thing."""

        def handle(call: Call) -> Answer:
            document = call.document()
            for name, kind in self.needs.items():
                required(document, name, kind)
            things = self._of(call, document)
            self._check_unique(things, document, None)
            now = call.platform.clock.now()
            thing = Thing(call.platform.new_id(), dict(document), now, now)
            things[thing.id] = self._stamped(thing)
            return Answer(status, (show or self.show)(thing))

        return handle

    def get(self) -> Handler:
        """Make the handler that shows a thing."""
        return lambda call: Answer(200, self.show(self.find(call)))

    def list(self, *, wrap: Wrap = lambda shown: shown) -> Handler:
        """Make the handler that lists the things of an account."""
        return lambda call: Answer(200, wrap([self.show(one) for one in self._of(call, {}).values()]))

    def update(self) -> Handler:
        """Make the handler that changes a thing."""

        def handle(call: Call) -> Answer:
            document = call.document()
            thing = self.find(call, document)
            for name in document:
                if self.may_change is not None and name not in self.may_change:
                    raise unexpected(f"cannot be changed; {', '.join(self.may_change)} can", at=(document, name))
            self._check_unique(self._of(call, document), document, thing)
            thing.values.update(document)
            thing.updated = call.platform.clock.now()
            return Answer(200, self.show(self._stamped(thing)))

        return handle

    def delete(self, *, status: int = 200, body: object = b"") -> Handler:
        """Make the handler that deletes a thing."""

        def handle(call: Call) -> Answer:
            thing = self.find(call)
            del self._of(call, {})[thing.id]
            return Answer(status, body)

        return handle

    def find(self, call: Call, document: Mapping[str, Any] = _EMPTY) -> Thing:
        """Return the thing named in the path; refuse an unknown one. The document may name the account."""
        thing = self._of(call, document).get(call.path[self.path or self.id])
        if thing is None:
            raise self.unknown(self.name)
        return thing

    def _state(self, _: Platform) -> defaultdict[str, dict[str, Thing]]:
        return defaultdict(dict)

    def _of(self, call: Call, document: Mapping[str, Any]) -> dict[str, Thing]:
        given = call.path.get("account_name") or call.received.query.get(self.account) or document.get(self.account)
        return self.things(call.platform, call.check_account(given or call.platform.account_name))

    def _check_unique(self, things: dict[str, Thing], document: Mapping[str, Any], own: Thing | None) -> None:
        if self.unique is None or self.unique not in document:
            return
        value = document[self.unique]
        if any(one is not own and one.values[self.unique] == value for one in things.values()):
            raise unexpected(f"is the name of another {self.name}", at=(document, self.unique))

    def _stamped(self, thing: Thing) -> Thing:
        thing.values[self.id] = thing.id
        if self.times is not None:
            created, updated = self.times
            thing.values |= {created: stamp(thing.created), updated: stamp(thing.updated)}
        return thing
