"""The simulator's page in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.simulator.api import Api
from tests.simulator.browser import Browser, browsing, needs_chromium
from tests.simulator.listener import Listener
from thingspace_async import DeviceId, Session
from thingspace_async.devices import SuspendRequest
from thingspace_async.simulator import Simulator

ACCOUNT = "0000123456-00001"

pytestmark = [pytest.mark.slow, needs_chromium]


async def choose(page: Browser, selector: str, value: str) -> None:
    await page.run(f"document.querySelector({selector!r}).value = {value!r}")


async def click(page: Browser, selector: str) -> None:
    await page.run(f"document.querySelector({selector!r}).click()")


async def keep_picture(page: Browser, name: str) -> None:
    """Save a screenshot if an environment variable names a folder."""
    if folder := os.environ.get("THINGSPACE_PICTURES"):
        await page.picture(Path(folder, name))


def lost(times: int) -> str:
    return (
        f"document.querySelector('#deliveries').textContent.split('lost by DeliveryFaults.lost').length == {times + 1}"
    )


async def suspend(cloud: Simulator, url: str) -> None:
    """Suspend a device through the client, with a callback listener registered."""
    cloud.devices[0].state = "active"
    cloud.listeners[ACCOUNT] = {"CarrierService": {"url": url}}
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        await session.devices.suspend(SuspendRequest(devices=[DeviceId(kind="imei", id=str(cloud.devices[0].imei))]))


async def test_a_callback_that_fails_twice_arrives_once_the_clock_has_been_advanced(
    api: Api, listener: Listener, tmp_path: Path
) -> None:
    cloud = api.cloud
    async with browsing(tmp_path / "profile") as page:
        await page.resize(1600, dark=False)
        await page.open(f"{cloud.url}/__admin/")
        await page.until("document.querySelectorAll('#users li').length > 1")
        await choose(page, "#lost", "2")
        await click(page, "#lost-form button")
        await page.until("document.querySelector('#faults').textContent.includes('next 2 attempts')")
        await suspend(cloud, listener.url)
        await page.until("document.querySelector('#requests').textContent.includes('devices.suspend')")
        await click(page, "[data-advance='60']")
        await click(page, "[data-advance='60']")
        await page.until(lost(1))
        # With the keyboard alone from here.
        await page.run("document.querySelector(\"[data-advance='300']\").focus()")
        await page.press("Enter")
        await page.until(lost(2))
        await page.press("Enter")
        await page.until("document.querySelector('#deliveries').textContent.includes('delivered')")
        assert [message["callbackCount"] for message in listener.messages] == [3]
        await keep_picture(page, "page.png")
        await page.press("Tab")
        assert await page.run("document.activeElement.dataset.advance") == "3600"
        assert page.complaints == []


async def test_the_page_shows_refusals_with_reasons_and_no_secrets(api: Api, tmp_path: Path) -> None:
    async with browsing(tmp_path / "profile") as page:
        await page.open(f"{api.cloud.url}/__admin/")
        await page.until("document.querySelector('#requests').children.length == 2")
        await choose(page, "#fault-form [name=operation]", "accounts.get")
        await choose(page, "#fault-form [name=status]", "503")
        await click(page, "#fault-form button")
        await page.until("document.querySelector('#faults').textContent.includes('Status(status=503')")
        assert (await api.account()).status == 503
        await api.devices(deviceId={"kind": "imex", "id": "1"})
        await page.until("document.querySelector('#requests').textContent.includes('deviceId.kind must be one of')")
        assert await page.run("document.querySelectorAll('#faults li').length") in (0, 1)
        text = await page.run("document.documentElement.outerHTML")
        known = api.cloud.credentials
        assert not [one for one in (known.password.reveal(), str(api.session), str(api.bearer)) if one in text]
        for width in (400, 1600):
            await page.resize(width, dark=width == 400)
            assert await page.run("document.documentElement.scrollWidth <= innerWidth")
            await keep_picture(page, f"refusals-{width}.png")
        assert [one for one in page.complaints if "503" not in one] == []


async def test_a_page_with_an_admin_token_is_opened_with_it(api: Api, tmp_path: Path) -> None:
    async with Simulator(devices=3, admin_token="t0ken") as cloud, browsing(tmp_path / "profile") as page:
        await page.open(f"{cloud.url}/__admin/#token=t0ken")
        await page.until("document.querySelectorAll('#devices tr').length == 3")
        assert page.complaints == []
