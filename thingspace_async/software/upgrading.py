"""Upgrading devices in one call: licenses, the campaign, and its devices until the end."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, overload
from urllib.parse import urlsplit

import attrs

from thingspace_async._core import checks, codec
from thingspace_async._core.ledger import BatchState
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Server
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    ApiError,
    CallError,
    InvalidRequest,
    LicensesMissing,
    RateLimited,
    RequestNotSent,
    ServerFault,
)
from thingspace_async.software.following import FollowedCampaign, Follower
from thingspace_async.software.models import DeviceStatus, SoftwareSubscription
from thingspace_async.software.turns import Turn

__all__ = ["UpgradeCalls", "UpgradeDevice", "UpgradePlan", "UpgradingVersion"]

T = TypeVar("T")
R = TypeVar("R")

_log: Final = logging.getLogger("thingspace_async")

_AT_ONCE: Final = 1_000
"""Devices in one query, or in one assignment of licenses."""
_PASSING: Final = (RequestNotSent, AnswerLost, RateLimited, ServerFault)
_NOT_DONE: Final = (RequestNotSent, RateLimited)
_SETTLED_AFTER: Final = timedelta(minutes=2)
"""How long to look for a campaign after its request was sent and the answer was lost."""
_FIND_EVERY: Final = 5.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_A_MINUTE: Final = timedelta(minutes=1)
_AN_HOUR: Final = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class UpgradeDevice:
    """The facts about a device that an upgrade depends on."""

    imei: str
    version: str | None
    licensed: bool
    eligible: bool


@attrs.frozen(kw_only=True)
class UpgradeCalls:
    """The calls of one version for one upgrade."""

    operation: str
    """Name of the call, such as `software.upgrade`."""
    account_name: str
    name: str | None
    """Name of the campaign."""
    imeis: tuple[str, ...]
    version_from: str | None
    """Version that the devices must have, if the request names it."""
    assigns_licenses: bool
    """Whether the platform assigns the licenses itself."""
    subscription: Callable[[], Awaitable[SoftwareSubscription]]
    devices: Callable[[tuple[str, ...]], Awaitable[Sequence[UpgradeDevice]]]
    """Returns the known ones of up to 1,000 devices."""
    assign: Callable[[tuple[str, ...]], Awaitable[object]]
    find: Callable[[], Awaitable[str | None]]
    """Returns the id of the campaign with the name, in any state, or None."""
    open_campaigns: Callable[[], AsyncGenerator[str]]
    """Iterates over the ids of campaigns that have not ended."""
    schedule: Callable[[], Awaitable[str]]
    """Sends the request, and returns the id of the campaign."""
    followed: Callable[[str], FollowedCampaign]


@attrs.frozen(kw_only=True)
class UpgradePlan:
    """The result of a dry run: obstacles of an upgrade. Devices are IMEIs."""

    campaign_id: str | None
    """Campaign that already has the name. The upgrade would follow it, and not schedule another."""
    unlicensed: tuple[str, ...]
    """Devices that need a license first. The upgrade assigns licenses to them."""
    licenses_left: int | None
    """Licenses of the account that are not assigned, if it has any."""
    in_campaigns: dict[str, str]
    """Devices that are in another campaign, with its id."""
    other_versions: dict[str, str | None]
    """Devices that have another version than the one to upgrade from."""
    ineligible: tuple[str, ...]
    """Devices that cannot be upgraded over the air."""
    unknown: tuple[str, ...]
    """Devices that are not in the account, or not known to this version of software management."""

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way."""
        enough = self.licenses_left is None or len(self.unlicensed) <= self.licenses_left
        return enough and not (self.in_campaigns or self.other_versions or self.ineligible or self.unknown)


class UpgradingVersion(Namespace, Generic[R]):
    """Base class of the versions, with a call for a whole upgrade."""

    _server: ClassVar[Server]

    @abstractmethod
    def _upgrade_calls(self, account_name: str, request: R) -> UpgradeCalls:
        """Return the calls for one upgrade."""

    @overload
    def upgrade(
        self, account_name: str, request: R, outcomes: OutcomeSource | None = None, *, dry_run: Literal[True]
    ) -> Coroutine[Any, Any, UpgradePlan]: ...
    @overload
    def upgrade(
        self,
        account_name: str,
        request: R,
        outcomes: OutcomeSource,
        *,
        dry_run: Literal[False] = False,
        known: Mapping[str, str] | None = None,
        on_scheduled: Callable[[str], object] | None = None,
        schedule_again: bool = False,
        check_every: timedelta = _A_MINUTE,
        give_up_after: timedelta = _AN_HOUR,
    ) -> AsyncGenerator[DeviceStatus]: ...
    def upgrade(
        self,
        account_name: str,
        request: R,
        outcomes: OutcomeSource | None = None,
        *,
        dry_run: bool = False,
        known: Mapping[str, str] | None = None,
        on_scheduled: Callable[[str], object] | None = None,
        schedule_again: bool = False,
        check_every: timedelta = _A_MINUTE,
        give_up_after: timedelta = _AN_HOUR,
    ) -> Coroutine[Any, Any, UpgradePlan] | AsyncGenerator[DeviceStatus]:
        """Upgrade devices: assign licenses to those that lack one, schedule the campaign once, and follow it.

        The iteration yields each device when its status has changed, as `campaigns.follow` does. You can stop it at any
        moment, and call it again with the same request to continue: it finds the campaign, and never schedules it
        twice. Every call yields all devices first. To continue without repeats, pass the statuses that you have
        processed, by IMEI, as `known`.

        The inbox of `outcomes` records the request under the name of the campaign before it is sent, so that processes
        that share the inbox schedule it once, too, and all follow it. A new campaign needs a new name.

        `dry_run=True` changes nothing: await the call to learn which devices lack a license, are in another campaign,
        or have another version. `on_scheduled` receives the id of the campaign.

        While the platform is unreachable, or the inbox is at the start, the call waits, at most for `give_up_after`. If
        the answer to the scheduling request was lost, it looks for the campaign for two minutes, and raises AnswerLost
        if there is none. Find out whether it was scheduled, and then pass `schedule_again=True`. Raises LicensesMissing
        if devices remain without a license, BadRequest if the platform refuses the campaign, and InvalidRequest if the
        name was used for another request.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/schedule-a-firmware-upgrade-v3.html
        """
        calls = self._upgrade_calls(account_name, request)
        if dry_run:
            return _plan(calls)
        if outcomes is None or not hasattr(outcomes, "inbox"):
            raise InvalidRequest(f"{calls.operation}: pass the outcomes of session.listen, whose inbox keeps the run")
        host = urlsplit(self._caller.engine.environment.bases[self._server]).hostname or ""
        digest = hashlib.blake2b(host.encode() + b" " + codec.dump(request), digest_size=16).hexdigest()
        upgrade = Upgrade(
            calls=calls,
            outcomes=outcomes,
            description=f"{calls.operation} {digest}",
            known=known or {},
            on_scheduled=on_scheduled,
            schedule_again=schedule_again,
            check_every=check_every,
            give_up_after=give_up_after,
        )
        return upgrade.changes()


@attrs.frozen(kw_only=True)
class Upgrade:
    """One upgrade."""

    calls: UpgradeCalls
    outcomes: OutcomeSource
    description: str
    known: Mapping[str, str]
    on_scheduled: Callable[[str], object] | None
    schedule_again: bool
    check_every: timedelta
    give_up_after: timedelta

    async def changes(self) -> AsyncGenerator[DeviceStatus]:
        """Schedule the campaign unless that was done, and yield each device whose status has changed."""
        if not self.calls.name:
            raise InvalidRequest(f"{self.calls.operation}: give the campaign a name, to find it again")
        checks.seconds(self.calls.operation, "check_every", self.check_every)
        checks.seconds(self.calls.operation, "give_up_after", self.give_up_after)
        campaign_id = await self._scheduled(self.calls.name)
        if self.on_scheduled is not None:
            self.on_scheduled(campaign_id)
        follower = Follower(
            campaign=self.calls.followed(campaign_id),
            outcomes=self.outcomes,
            check_every=self.check_every,
            give_up_after=self.give_up_after,
            seen=dict(self.known),
        )
        async with aclosing(follower.changes()) as changes:
            async for device in changes:
                yield device

    async def _scheduled(self, name: str) -> str:
        """Return the id of the campaign, which is scheduled if there is none."""
        run, again = f"{self.calls.operation} {self.calls.account_name} {name}", self.schedule_again
        while True:
            turn = Turn(self.outcomes.inbox, run, self.description, give_up_after=self.give_up_after.total_seconds())
            async with turn.held():
                found = turn.campaign_id or await self._recovered(turn, again=again) or await self._schedule(turn)
            if found is not None:
                return found
            again = False  # It allows to repeat earlier requests only.

    async def _recovered(self, turn: Turn, *, again: bool = False) -> str | None:
        """Look for the campaign on the platform. After a lost answer, wait for it, and raise AnswerLost without it."""
        found = await self._patiently(self.calls.find)
        sent_at = turn.sent_at
        while found is None and sent_at is not None and not again:
            if turn.now - sent_at >= _SETTLED_AFTER:
                raise AnswerLost(
                    f"the campaign {self.calls.name} was requested at {sent_at:%Y-%m-%d %H:%M} UTC, but its answer was "
                    "lost and there is no such campaign: find out whether it was scheduled, and then pass "
                    "schedule_again=True",
                    operation=self.calls.operation,
                )
            await asyncio.sleep(_FIND_EVERY)
            found = await self._patiently(self.calls.find)
        if found is not None:
            await turn.note(BatchState.ACCEPTED, found)
        return found

    async def _schedule(self, turn: Turn) -> str | None:
        """Assign licenses and send the request. None if another process has taken over."""
        await self._license()
        pauses = _pauses(self.give_up_after, self.calls.operation)
        while True:
            if not await turn.begin():
                return None
            try:
                campaign_id = await self.calls.schedule()
            except _NOT_DONE as error:
                await turn.note(BatchState.NOT_SENT, str(error))
                await _pause(pauses, error)
            except (AnswerLost, ServerFault, AnswerUnreadable) as error:
                await turn.note_lost(str(error))
                return await self._recovered(turn)
            except ApiError as error:
                await turn.note(BatchState.REFUSED, str(error))
                raise
            else:
                await turn.note(BatchState.ACCEPTED, campaign_id)
                return campaign_id

    async def _license(self) -> None:
        """Assign licenses to the devices that need one."""
        if self.calls.assigns_licenses or not (await self._patiently(self.calls.subscription)).needs_licenses:
            return
        for imeis in _chunks(self.calls.imeis):
            pauses, devices = _pauses(self.give_up_after, self.calls.operation), partial(self.calls.devices, imeis)
            bare = _unlicensed(await self._patiently(devices))
            assigned = False
            while bare and not assigned:
                try:
                    await self.calls.assign(bare)
                    assigned = True
                except _PASSING as error:  # It may have been done: look which devices still lack one.
                    await _pause(pauses, error)
                bare = _unlicensed(await self._patiently(devices))
            if bare:
                raise LicensesMissing(
                    f"{self.calls.operation}: {len(bare):,} devices have no license after the assignment, such as "
                    f"{bare[0]}: buy licenses, or take licenses from other devices",
                    devices=bare,
                )

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read, and repeat it while the platform is unreachable."""
        pauses = _pauses(self.give_up_after, self.calls.operation)
        while True:
            try:
                return await read()
            except _PASSING as error:
                await _pause(pauses, error)


async def _plan(calls: UpgradeCalls) -> UpgradePlan:
    """Find out what stands in the way of an upgrade, without changing anything."""
    subscription = await calls.subscription()
    known: dict[str, UpgradeDevice] = {}
    for imeis in _chunks(calls.imeis):
        known.update({one.imei: one for one in await calls.devices(imeis)})
    found = [known[imei] for imei in calls.imeis if imei in known]
    campaign_id = await calls.find() if calls.name else None
    needs = subscription.needs_licenses and not calls.assigns_licenses
    wanted = calls.version_from
    return UpgradePlan(
        campaign_id=campaign_id,
        unlicensed=_unlicensed(found) if needs else (),
        licenses_left=subscription.licenses_left if subscription.needs_licenses else None,
        in_campaigns=await _in_campaigns(calls, except_id=campaign_id),
        other_versions={one.imei: one.version for one in found if wanted is not None and one.version != wanted},
        ineligible=tuple(one.imei for one in found if not one.eligible),
        unknown=tuple(imei for imei in calls.imeis if imei not in known),
    )


async def _in_campaigns(calls: UpgradeCalls, *, except_id: str | None) -> dict[str, str]:
    wanted, found = set(calls.imeis), dict[str, str]()
    async with aclosing(calls.open_campaigns()) as campaigns:
        async for campaign_id in campaigns:
            if campaign_id == except_id:
                continue
            async with aclosing(calls.followed(campaign_id).devices()) as devices:
                async for device in devices:
                    if device.device_id in wanted:
                        found[device.device_id] = campaign_id
    return found


def _unlicensed(devices: Sequence[UpgradeDevice]) -> tuple[str, ...]:
    return tuple(one.imei for one in devices if not one.licensed)


def _chunks(imeis: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (imeis[place : place + _AT_ONCE] for place in range(0, len(imeis), _AT_ONCE))


def _pauses(most: timedelta, operation: str) -> Iterator[float]:
    """Yield growing pauses in seconds, until they exceed a time."""
    left, pause = checks.seconds(operation, "give_up_after", most, may_be_zero=True), _FIRST_PAUSE
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _pause(pauses: Iterator[float], error: CallError) -> None:
    """Pause before the next try. Raises the error if there is none."""
    if (pause := next(pauses, None)) is None:
        raise error
    _log.warning("waiting %g s: %s", pause, error)
    await asyncio.sleep(pause)
