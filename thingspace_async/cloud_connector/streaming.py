"""Setting up a stream: a target and a subscription. Each may exist already."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

import attrs

from thingspace_async._core.types import Accepted
from thingspace_async.cloud_connector.models import (
    AddressScheme,
    CreateSubscriptionRequest,
    CreateTargetRequest,
    Resource,
    StreamSettings,
    Subscription,
    Target,
    UpdateSubscriptionRequest,
)
from thingspace_async.errors import (
    AnswerUnreadable,
    ApiError,
    InvalidRequest,
    ServerFault,
    StreamTaken,
    ThingSpaceError,
)

__all__ = ["Stream", "Streaming"]

_log: Final = logging.getLogger("thingspace_async")

_TRIES: Final = 3
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Stream:
    """A subscription and its target. Delete both to end the stream."""

    target: Target
    subscription: Subscription

    @property
    def accepted(self) -> Accepted:
        """Pass it to `outcomes.stream` to await the events. It stands for the events of all streams in the inbox."""
        from thingspace_async.callbacks.messages import STREAMED  # Imported late because it is slow.

        return Accepted(request_id=STREAMED)


class TargetCalls(Protocol):
    """The calls for targets."""

    def create(self, request: CreateTargetRequest) -> Awaitable[Target]: ...

    def list(self, account_name: str) -> Awaitable[tuple[Target, ...]]: ...

    def delete(self, *, account_name: str, target_id: str) -> Awaitable[None]: ...


class SubscriptionCalls(Protocol):
    """The calls for subscriptions."""

    def create(self, request: CreateSubscriptionRequest) -> Awaitable[Subscription]: ...

    def list(self, account_name: str) -> Awaitable[tuple[Subscription, ...]]: ...

    def update(self, request: UpdateSubscriptionRequest) -> Awaitable[Subscription]: ...


@attrs.define
class Streaming:
    """Sets up one stream."""

    targets: TargetCalls
    subscriptions: SubscriptionCalls
    wanted: CreateTargetRequest
    settings: StreamSettings
    _is_begun: bool = attrs.field(default=False, init=False)
    """Whether this call may have created something that is not complete."""

    async def start(self) -> Stream:
        """Return the stream, after creating its missing parts."""
        if type(self.settings) is not StreamSettings:
            given = type(self.settings).__name__
            raise InvalidRequest(f"cloud_connector.streaming: settings must be StreamSettings, not {given}")
        try:
            return await self._start()
        except asyncio.CancelledError:
            if self._is_begun:
                _log.warning(
                    "cloud_connector.streaming was cancelled, and the target of account %s may have no subscription: "
                    "call it again, which continues with what exists",
                    self._account_name,
                )
            raise
        except ThingSpaceError as error:
            if self._is_begun:
                error.add_note("thingspace_async: call streaming again: it continues with what exists")
            raise

    async def _start(self, tries: int = _TRIES) -> Stream:
        if (stream := await self._existing()) is not None:
            return stream
        target, created = await self._target()
        self._is_begun = True
        try:
            return Stream(target=target, subscription=await self._subscribe(target))
        except ServerFault:
            raise  # The subscription may exist, and need the target.
        except ApiError as error:
            stream = await self._instead(created, error)
            if stream is not None:
                return stream
            # Another process may have deleted the target in the meantime.
            is_gone = created is None and target.id not in [one.id for one in await self._targets()]
            if not is_gone or tries == 1:
                raise
        return await self._start(tries - 1)

    async def _target(self) -> tuple[Target, Target | None]:
        """Return the target to use, and the one that this call has created, if any."""
        if found := await self._targets():
            return found[0], None
        self._is_begun = True
        created = await self.targets.create(self.wanted)
        # Processes that start at once may each create a target. All of them use the oldest.
        listed = await self._targets()
        target = listed[0] if listed else created
        if not target.id:
            raise AnswerUnreadable("is missing", operation="cloud_connector.targets.create", path="id")
        if created.id and target.id != created.id:
            await self._undo(created)
            return target, None
        return target, created

    async def _instead(self, created: Target | None, refusal: ApiError) -> Stream | None:
        """Return the stream that another process has created in the meantime, if any. Raise what prevents a stream.

        Delete the target that this call has created, unless a stream uses it.
        """
        stream, reason = None, None
        try:
            stream = await self._existing()
        except StreamTaken as taken:
            reason = taken
        except ThingSpaceError as failure:
            refusal.add_note(f"thingspace_async: then the streams of the account could not be listed: {failure}")
            raise refusal from None
        if created is not None:
            await self._undo(created, reason or refusal)
        self._is_begun = False
        if reason is not None:
            raise reason
        return stream

    @property
    def _account_name(self) -> str:
        return self.wanted.account_name.name

    async def _targets(self) -> list[Target]:
        """Return the existing targets with the wanted address, oldest first."""
        listed = await self.targets.list(self._account_name)
        found = [one for one in listed if one.id and _is_same(one, self.wanted)]
        return sorted(found, key=lambda one: one.created_on or _LATEST)

    async def _existing(self) -> Stream | None:
        """Return the account's stream of the wanted kind, enabled. Raises StreamTaken if it has another target."""
        kind = self.settings.stream_kind
        listed = await self.subscriptions.list(self._account_name)
        found = next((one for one in listed if one.stream_kind == kind and one.id), None)
        if found is None:
            return None
        target = next((one for one in await self._targets() if one.id == found.target_id), None)
        if target is None or (found.filter or None) != self.settings.filter:
            where = f"to another target, {found.target_id}" if target is None else "with another filter"
            raise StreamTaken(
                f"the events of kind {kind} are streamed {where}: delete the subscription {found.id} first, or choose "
                "another kind",
                subscription_id=found.id,
                target_id=found.target_id,
            )
        wanted = bool(self.settings.disabled)
        if bool(found.disabled) is not wanted:
            found = await self.subscriptions.update(
                UpdateSubscriptionRequest(
                    account_name=self._account_name, resource=Resource(id=found.id), disabled=wanted
                )
            )
        return Stream(target=target, subscription=found)

    async def _subscribe(self, target: Target) -> Subscription:
        fields = {field.name: getattr(self.settings, field.name) for field in attrs.fields(StreamSettings)}
        return await self.subscriptions.create(
            CreateSubscriptionRequest(account_name=self._account_name, target_id=target.id or "", **fields)
        )

    async def _undo(self, created: Target, refusal: ThingSpaceError | None = None) -> None:
        """Delete the target that this call has created, unless a stream of another kind uses it.

        If that fails, say so in a note of the refusal.
        """
        try:
            listed = await self.subscriptions.list(self._account_name)
            if all(one.target_id != created.id for one in listed):
                await self.targets.delete(account_name=self._account_name, target_id=created.id or "")
        except ThingSpaceError as failure:
            left = f"the target {created.id} could not be deleted: {failure}"
            if refusal is None:
                _log.warning("cloud_connector.streaming: another target is used, and %s", left)
            else:
                refusal.add_note(f"thingspace_async: {left}")


_PORTS: Final = {"http": 80, "https": 443}


def _is_same(found: Target, wanted: CreateTargetRequest) -> bool:
    """Return whether a target leads to the wanted place."""
    if found.address_scheme != wanted.address_scheme:
        return False
    if wanted.address_scheme is AddressScheme.REST:
        return _place(found.address or "") == _place(wanted.address)
    return (found.address, found.region, found.external_id) == (wanted.address, wanted.region, wanted.external_id)


def _place(address: str) -> tuple[object, ...]:
    """Return the parts of a server's address, apart from their spelling."""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # Another program has created a target with this address.
        return (address,)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/"), parts.query
