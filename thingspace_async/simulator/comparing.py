"""Differences between the simulator's answers and recorded answers of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thingspace_async.simulator.server import Simulator
from thingspace_async.simulator.traffic import Exchange, differences, read_traffic

__all__ = ["compare"]


async def compare(path: Path) -> list[str]:
    """Repeat recorded requests against a simulator, and return a line per difference in status or form.

    The simulator gets the accounts and devices of the recording. Raises ValueError for a file that is not a recording.
    """
    traffic = read_traffic(path)
    async with Simulator(devices=0, admin=False) as cloud:
        for one in traffic:
            _make_known(cloud, one)
        tokens = cloud.platform.tokens
        session = tokens.begin_session(cloud.users[cloud.username])
        headers = {
            "Authorization": f"Bearer {tokens.issue_access().value}",
            "VZ-M2M-Token": session.token,
            "SessionToken": session.token,
            "Content-Type": "application/json",
        }
        return await differences(traffic, cloud.url, headers)


def _make_known(cloud: Simulator, exchange: Exchange) -> None:
    """Add the accounts and devices of a recorded answer."""
    for part in _parts(exchange.answer):
        named = part.get("accountName")
        account_name = named if isinstance(named, str) else cloud.account_name
        if account_name not in cloud.accounts:
            cloud.add_account(account_name)
        device_ids = part.get("deviceIds")
        if not isinstance(device_ids, list) or not all(_is_identifier(one) for one in device_ids) or not device_ids:
            continue
        if any(cloud.devices.find(one["kind"], one["id"]) is not None for one in device_ids):
            continue
        device = cloud.devices.add_named(account_name, device_ids, cloud.clock.now())
        if isinstance(carriers := part.get("carrierInformations"), list) and carriers:
            device.state = str(carriers[0].get("state", "active"))


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value, the outer ones first."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(each)


def _is_identifier(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("id", "kind"))
