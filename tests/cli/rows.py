"""A row for each command: how it is run against a simulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from tests.cli.inside import Inside
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.software.store import PACKAGES, Software

__all__ = ["ACCOUNT", "ROWS", "Row", "Stage"]

ACCOUNT: Final = "0000123456-00001"
ESIM: Final = "89049032000000000000000000007919,89148000000000079195,353272090079193"


@attrs.frozen
class Stage:
    """A working folder with an inbox, a list of devices and a simulator."""

    inside: Inside
    cloud: Simulator
    folder: Path

    @property
    def imei(self) -> str:
        """An active device."""
        device = self.cloud.devices[0]
        device.state = "active"
        return next(str(one["id"]) for one in device.device_ids if one["kind"].casefold() == "imei")

    def do(self, *words: str) -> str:
        """Run a command before the one of the row, and return what it prints."""
        status, printed, complaints = self.inside.run(*words)
        assert status in (0, 4), complaints
        return printed


Words = Callable[[Stage], Sequence[str]]


@attrs.frozen(kw_only=True)
class Row:
    """How a command is run, and what to expect."""

    words: Words = attrs.field(default=lambda _: ())
    before: Words | None = None
    """A command that is run first, each time."""
    status: int = 0
    logs_in: bool = True
    has_account: bool = True
    lasts: bool = False
    """Whether it runs until it is interrupted."""
    prints: bool = True
    """Whether it prints to stdout."""
    is_data: bool = False
    """Whether its output is JSON or CSV, which is not fitted to the terminal."""


def words(*given: str) -> Words:
    return lambda _: given


def of_device(*more: str) -> Words:
    return lambda stage: (stage.imei, *more)


CREATE: Final = words("groups", "create", "Pumps", "--description", "West", "--yes")
SUSPEND: Final = ("--from", "devices.csv", "--inbox", "messages.db", "--hours", "0", "--yes")


def with_request(*more: str) -> Words:
    """Name a request that the platform is working on."""

    def named(stage: Stage) -> Sequence[str]:
        body: dict[str, Any] = {"accountName": ACCOUNT}
        body["devices"] = [{"deviceIds": [{"id": stage.imei, "kind": "imei"}]}]
        path = "/m2m/v1/devices/actions/suspend"
        return (json.loads(stage.do("request", "POST", path, "--data", json.dumps(body), "--yes"))["requestId"], *more)

    return named


def with_esim_request(stage: Stage) -> Sequence[str]:
    return (json.loads(stage.do("esim", "enable", ESIM, "--yes", "--json"))["requestId"],)


def upgrading(stage: Stage) -> Sequence[str]:
    room, day = stage.cloud.platform.room(Software), stage.cloud.clock.now().date()
    eligible = [one.imei for one in room.devices(ACCOUNT, ["LWM2M"]) if one.eligible and one.version == "VZM20Q_1.0"]
    (stage.folder / "imeis.csv").write_text("\n".join(eligible[:2]))
    return (
        *("--name", "spring", "--firmware", PACKAGES[0].name, "--from", "imeis.csv", "--inbox", "messages.db"),
        *("--start", day.isoformat(), "--end", day.isoformat(), "--dry-run"),
    )


_FLEET: Final = {
    "activate": ("--plan", "M2M_PP", "--zip-code", "94105"),
    "suspend": (),
    "restore": (),
    "deactivate": (),
    "change-plan": ("--plan", "M2M_PP"),
}
_ESIM: Final = (
    *("activate", "activate-and-enable", "deactivate", "renew-activation-code", "download", "download-and-enable"),
    *("download-and-disable", "enable", "disable", "delete", "suspend", "resume", "suspend-device", "set-fallback"),
    "set-global-fallback",
)
_SMSR: Final = ("--smsr-oid", "1.3.6.1.4.1.31746.1.500.200.101.5")

ROWS: Final[dict[tuple[str, ...], Row]] = {
    ("accounts",): Row(),
    ("callbacks", "list"): Row(),
    ("callbacks", "register"): Row(
        words=words(
            *("CarrierService", "--base-url", "https://fleet.example.com/in", "--inbox", "messages.db"),
            *("--replace", "--yes"),
        ),
        prints=False,
    ),
    ("callbacks", "deregister"): Row(words=words("CarrierService", "--yes"), prints=False),
    ("demo",): Row(words=words("--live")),
    ("devices", "list"): Row(),
    ("devices", "get"): Row(words=of_device()),
    ("devices", "history"): Row(words=of_device("--connections")),
    **{("esim", name): Row(words=words(ESIM, "--yes", *(_SMSR if name.endswith("disable") else ()))) for name in _ESIM},
    ("esim", "status"): Row(words=with_esim_request),
    ("firmware", "list"): Row(),
    ("firmware", "campaigns"): Row(),
    ("firmware", "follow"): Row(words=words("60b5d639-ccdc-4db8-8824-069bd94c95bf"), status=1, prints=False),
    ("firmware", "upgrade"): Row(words=upgrading, prints=False),
    **{
        ("fleet", name): Row(words=words(*SUSPEND, *more), status=4, before=words("whoami", "--offline"))
        for name, more in _FLEET.items()
    },
    ("fleet", "runs"): Row(
        words=words("--inbox", "messages.db"), before=words("fleet", "suspend", *SUSPEND), logs_in=False
    ),
    ("fleet", "status"): Row(
        words=words("suspend devices", "--inbox", "messages.db"),
        before=words("fleet", "suspend", *SUSPEND),
        logs_in=False,
    ),
    ("groups", "list"): Row(),
    ("groups", "get"): Row(words=words("Pumps"), before=CREATE),
    ("groups", "create"): Row(words=lambda stage: CREATE(stage)[2:], prints=False),
    ("groups", "add"): Row(words=lambda stage: ("Pumps", stage.imei, "--yes"), before=CREATE, prints=False),
    ("groups", "remove"): Row(words=lambda stage: ("Pumps", stage.imei, "--yes"), before=CREATE, prints=False),
    ("groups", "delete"): Row(words=words("Pumps", "--yes"), before=CREATE, prints=False),
    ("locate",): Row(words=words("--cached"), is_data=True),
    ("plans",): Row(),
    ("reachability", "start"): Row(words=of_device("--yes")),
    ("reachability", "list"): Row(words=of_device()),
    ("reachability", "status"): Row(words=of_device()),
    ("reachability", "stop"): Row(words=of_device("--yes")),
    ("receiver",): Row(words=words("--port", "0", "--inbox", "messages.db"), logs_in=False, lasts=True),
    ("request",): Row(words=words("GET", f"/m2m/v1/accounts/{ACCOUNT}"), has_account=False, is_data=True),
    ("requests", "status"): Row(words=with_request()),
    ("requests", "wait"): Row(words=with_request("--minutes", "0.01"), status=1, prints=False),
    ("requests", "follow"): Row(words=words("1", "--inbox", "messages.db"), logs_in=False, lasts=True, prints=False),
    ("simulator",): Row(words=words("--port", "0", "--devices", "3"), logs_in=False, lasts=True),
    ("sms", "send"): Row(words=lambda stage: ("Hello", stage.imei, "--yes")),
    ("sms", "queued"): Row(),
    ("sms", "follow"): Row(words=words("--inbox", "messages.db"), logs_in=False, lasts=True, prints=False),
    ("stream",): Row(
        words=words("--url", "https://example.com:9001/CloudConnector", "--inbox", "messages.db", "--yes"),
        lasts=True,
        is_data=True,
        prints=False,
    ),
    ("usage",): Row(words=words("--month", "2025-11")),
    ("v2x", "enrol"): Row(
        words=words(
            *("--vendor", "v", "--device-id", "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11", "--at", "33.45,-84.55"),
            *("--folder", "certificates", "--yes"),
        ),
        has_account=False,
        is_data=True,
    ),
    ("whoami",): Row(),
}
