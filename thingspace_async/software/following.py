"""Following a campaign: its devices are polled, and a callback message makes the next poll come sooner."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async._core.tasks import end
from thingspace_async.errors import (
    AnswerLost,
    CallError,
    InboxUnavailable,
    InvalidRequest,
    RateLimited,
    RequestNotSent,
    ServerFault,
)
from thingspace_async.software.models import DeviceStatus, DeviceUpgradeStatus

__all__ = ["CampaignResult", "CampaignState", "FollowedCampaign", "FollowedCampaigns", "Follower"]

_log: Final = logging.getLogger("thingspace_async")

_SLOWER: Final = 1.5
_SLOWEST: Final = 15
"""While nothing changes, the pause between two polls grows to this multiple."""

_PASSING: Final = (RequestNotSent, AnswerLost, RateLimited, ServerFault)
"""Errors of reads that may pass."""

_A_MINUTE: Final = timedelta(minutes=1)
_AN_HOUR: Final = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class CampaignState:
    """The state of a campaign."""

    status: str | None
    final: bool
    """Whether it will not change any more."""
    grows: bool = False
    """Whether the platform may add devices."""


@attrs.frozen(kw_only=True)
class FollowedCampaign:
    """The reads of one campaign, in any version."""

    operation: str
    """Name of the calls, such as `software.campaigns`."""
    id: str
    state: Callable[[], Awaitable[CampaignState]]
    devices: Callable[[], AsyncGenerator[DeviceStatus]]


@attrs.frozen(kw_only=True)
class CampaignResult:
    """The end of a campaign."""

    campaign_id: str
    status: str | None
    """Last status of the campaign."""
    succeeded: tuple[DeviceStatus, ...]
    failed: tuple[DeviceStatus, ...]
    """Devices whose last attempt failed. `result_reason` says why."""
    waiting: tuple[DeviceStatus, ...]
    """Devices that were neither upgraded nor failed when the campaign ended."""


class FollowedCampaigns(Namespace):
    """Base class of the campaigns of a version: calls that poll a campaign until its end."""

    @abstractmethod
    def _followed(self, account_name: str, campaign_id: str) -> FollowedCampaign:
        """Return the reads of a campaign."""

    def follow(
        self,
        account_name: str,
        campaign_id: str,
        *,
        outcomes: OutcomeSource | None = None,
        known: Mapping[str, str] | None = None,
        check_every: timedelta = _A_MINUTE,
        give_up_after: timedelta = _AN_HOUR,
    ) -> AsyncGenerator[DeviceStatus]:
        """Iterate over the devices of a campaign, each time when its status has changed, until the campaign has ended.

        The first look yields every device. To continue after a restart without repeats, pass the statuses that you have
        processed, by IMEI, as `known`. The iteration also ends when every device has been upgraded.

        `check_every` is the shortest pause between two polls. While nothing changes, the pause grows to 15 times of
        that. If `outcomes` from `session.listen` is given, a message about the campaign ends a longer pause. Polling
        continues without messages. It also continues while the platform is unreachable, for `give_up_after`, and then
        raises the last error. Set a limit for the whole iteration with `asyncio.timeout`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/get-upgrade-information-v3.html
        """
        follower = Follower(
            campaign=self._followed(account_name, campaign_id),
            outcomes=outcomes,
            check_every=check_every,
            give_up_after=give_up_after,
            seen=dict(known or {}),
        )
        return follower.changes()

    async def wait(
        self,
        account_name: str,
        campaign_id: str,
        *,
        outcomes: OutcomeSource | None = None,
        check_every: timedelta = _A_MINUTE,
        give_up_after: timedelta = _AN_HOUR,
    ) -> CampaignResult:
        """Wait until a campaign has ended, or all its devices have been upgraded, and sum it up; see `follow`.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v3/get-upgrade-information-v3.html
        """
        follower = Follower(
            campaign=self._followed(account_name, campaign_id),
            outcomes=outcomes,
            check_every=check_every,
            give_up_after=give_up_after,
        )
        return await follower.result()


@attrs.define(kw_only=True)
class Follower:
    """One iteration over the changes of a campaign."""

    campaign: FollowedCampaign
    outcomes: OutcomeSource | None
    check_every: timedelta
    give_up_after: timedelta
    seen: dict[str, str | None] = attrs.field(factory=dict[str, "str | None"])
    """The last status of each device, by IMEI."""
    state: CampaignState = CampaignState(status=None, final=False)
    _waiting: int = attrs.field(default=0, init=False)
    """Devices of the current look that have not been upgraded."""
    _changed: bool = attrs.field(default=False, init=False)
    _woken: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def changes(self) -> AsyncGenerator[DeviceStatus]:
        """Yield each device whose status has changed."""
        name = f"{self.campaign.operation}.follow"
        shortest = pause = checks.seconds(name, "check_every", self.check_every)
        outage = _Outage(checks.seconds(name, "give_up_after", self.give_up_after))
        async with self._listening():
            while True:
                self._woken.clear()
                try:
                    async with aclosing(self._look()) as changed:
                        async for device in changed:
                            yield device
                except _PASSING as error:
                    outage.note(error)
                else:
                    outage.end()
                    if self._is_over():
                        return
                pause = shortest if self._changed else min(pause * _SLOWER, shortest * _SLOWEST)
                await self._rest(shortest, pause)

    async def result(self) -> CampaignResult:
        """Wait for the end, and sum it up."""
        last: dict[str, DeviceStatus] = {}
        async with aclosing(self.changes()) as changes:
            async for device in changes:
                last[device.device_id] = device
        devices = tuple(last.values())
        return CampaignResult(
            campaign_id=self.campaign.id,
            status=self.state.status,
            succeeded=tuple(one for one in devices if one.succeeded),
            failed=tuple(one for one in devices if one.failed),
            waiting=tuple(one for one in devices if not one.succeeded and not one.failed),
        )

    async def _look(self) -> AsyncGenerator[DeviceStatus]:
        """Read the campaign once, and yield its changed devices."""
        self._changed, self._waiting = False, 0
        # Read before the devices, so that their last changes are not missed.
        self.state = await self.campaign.state()
        async with aclosing(self.campaign.devices()) as devices:
            async for device in devices:
                self._waiting += device.status is not DeviceUpgradeStatus.SUCCESS
                if device.device_id not in self.seen or self.seen[device.device_id] != device.status:
                    self.seen[device.device_id] = device.status
                    self._changed = True
                    yield device

    def _is_over(self) -> bool:
        is_done = not self._waiting and bool(self.seen) and not self.state.grows
        return self.state.final or is_done

    async def _rest(self, shortest: float, pause: float) -> None:
        """Pause, and end a pause longer than the shortest one when a message arrives."""
        await asyncio.sleep(shortest)
        if pause > shortest:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - shortest):
                    await self._woken.wait()

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[None]:
        """Note messages about the campaign as they arrive."""
        if self.outcomes is None:
            yield
            return
        if not hasattr(self.outcomes, "inbox"):
            raise InvalidRequest(
                f"{self.campaign.operation}.follow: outcomes must come from session.listen, not "
                f"{type(self.outcomes).__name__}"
            )
        task = asyncio.create_task(self._listen(self.outcomes), name=f"following campaign {self.campaign.id}")
        try:
            yield
        finally:
            await end(task)

    async def _listen(self, outcomes: OutcomeSource) -> None:
        try:
            async with aclosing(outcomes.inbox.follow(self.campaign.id)) as messages:
                async for _ in messages:
                    self._woken.set()
        except InboxUnavailable as error:
            _log.warning("%s.follow: only polling is left for %s: %s", self.campaign.operation, self.campaign.id, error)


class _Outage:
    """Consecutive failures of looks."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._began: float | None = None

    def note(self, error: CallError) -> None:
        """Note a failure. Raises it once failures have gone on for too long."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
            _log.warning("following a campaign is interrupted: %s", error)
        if now - self._began >= self._most:
            raise error

    def end(self) -> None:
        """Note a success."""
        self._began = None
