"""Starting, the log of requests, and closing at once even with requests in progress."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.simulator.api import ACCOUNT, LIST, LOG_IN, Api
from thingspace_async import Credentials, Session
from thingspace_async.errors import LoginRefused
from thingspace_async.simulator import Delay, Drip, Fault, Simulator, server
from thingspace_async.simulator.clock import Clock


async def test_the_environment_leads_to_the_simulator(api: Api) -> None:
    assert api.cloud.environment.bases["m2m"] == f"{api.cloud.url}/api/m2m"
    assert urlsplit(api.cloud.url).hostname == "127.0.0.1"


async def test_a_simulator_that_was_not_started_has_no_url() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = Simulator().url


async def test_a_simulator_starts_once() -> None:
    async with Simulator() as cloud:
        with pytest.raises(RuntimeError, match="already"):
            await cloud.start()


async def test_closing_twice_or_before_the_start_does_nothing() -> None:
    cloud = Simulator()
    await cloud.close()
    await cloud.start()
    await cloud.close()
    await cloud.close()


async def test_a_port_that_is_taken_is_an_error_that_leaves_nothing_behind() -> None:
    async with Simulator() as cloud:
        other = Simulator(port=int(str(urlsplit(cloud.url).port)))
        with pytest.raises(OSError, match="address already in use"):
            await other.start()
    await other.start()
    await other.close()


async def test_a_password_refused_by_one_simulator_may_be_accepted_by_the_next_on_its_port() -> None:
    async with Simulator(seed=1) as cloud:
        environment, known = cloud.environment, Simulator(seed=2).credentials
        wrong = Credentials(
            client_id=cloud.credentials.client_id,
            client_secret=cloud.credentials.client_secret,
            username=cloud.credentials.username,
            password=known.password,
        )
        with pytest.raises(LoginRefused):
            await Session(wrong, environment=environment).open()
    async with Simulator(seed=2, port=int(str(urlsplit(environment.bases["m2m"]).port))) as cloud:
        assert cloud.credentials == known
        async with Session(known, environment=environment):
            assert cloud.count("session.log_in") == 1


async def test_a_free_port_is_one_that_no_simulator_of_the_process_had(monkeypatch: pytest.MonkeyPatch) -> None:
    class Every(set[int]):
        def __init__(self, tried: int) -> None:
            self.left = tried

        def __contains__(self, port: object) -> bool:
            self.left -= 1
            return self.left >= 0

    monkeypatch.setattr(server, "_used_ports", Every(3))
    async with Simulator() as cloud, aiohttp.ClientSession() as client, client.get(cloud.url) as answer:
        assert answer.status == 404
    monkeypatch.setattr(server, "_used_ports", Every(1000))
    cloud = Simulator()
    with pytest.raises(RuntimeError, match="pass port="):
        await cloud.start()
    with pytest.raises(RuntimeError, match="no URL"):
        assert cloud.url


async def test_a_simulator_that_was_closed_can_come_back_at_its_url_and_knows_its_sessions(api: Api) -> None:
    url = api.cloud.url
    await api.cloud.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await api.account()
    await api.cloud.start()
    assert api.cloud.url == url
    assert (await api.account()).status == 200


@pytest.mark.parametrize("fault", [Delay(3600), Drip(3600), Drip(0.001)])
async def test_closing_ends_requests_in_progress_at_once(api: Api, fault: Fault) -> None:
    api.cloud.add_devices(200)
    api.cloud.faults.add("devices.list", fault, times=None)
    calls = [asyncio.create_task(api.devices()) for _ in range(5)]
    while api.cloud.count("devices.list") < 5:
        await asyncio.sleep(0.005)
    begun = time.monotonic()
    await api.cloud.close()
    assert time.monotonic() - begun < 1
    assert all(isinstance(end, aiohttp.ClientError) for end in await asyncio.gather(*calls, return_exceptions=True))


async def test_closing_does_not_wait_for_a_client_that_does_not_read(api: Api) -> None:
    api.cloud.add_devices(2000)
    where = urlsplit(api.cloud.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1024)
    head = f"POST {LIST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.bearer}\r\nVZ-M2M-Token: {api.session}\r\n"
    writer.write(head.encode() + b"Content-Length: 0\r\n\r\n")
    await reader.readexactly(100)
    begun = time.monotonic()
    await api.cloud.close()
    assert time.monotonic() - begun < 1
    writer.close()


async def test_closing_does_not_wait_for_a_client_that_does_not_send(api: Api) -> None:
    where = urlsplit(api.cloud.url)
    ends = [await asyncio.open_connection(where.hostname, where.port) for _ in range(2)]
    ends[0][1].write(f"POST {LOG_IN} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await api.cloud.close()
    assert time.monotonic() - begun < 1
    for _, writer in ends:
        writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_request_leaves_no_complaint(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(api.cloud.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"POST {LOG_IN} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)
    assert (await api.account()).status == 200
    assert caplog.records == []


PROGRAM = """
import asyncio, aiohttp
from thingspace_async.simulator import Delay, Drip, Reset, Simulator

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # The machine may be busy with other tests.
    async with Simulator() as cloud, aiohttp.ClientSession() as http:
        cloud.faults.add("oauth.token", Reset())
        cloud.faults.add("oauth.token", Delay(3600))
        cloud.faults.add("oauth.token", Drip(3600), times=None)
        async def ask():
            async with http.post(cloud.url + "/api/ts/v1/oauth2/token") as answer:
                await answer.read()
        asks = [asyncio.create_task(ask()) for _ in range(5)]
        while cloud.count("oauth.token") < 5:
            await asyncio.sleep(0.01)
        await cloud.close()
        await asyncio.gather(*asks, return_exceptions=True)

asyncio.run(main())
"""


def test_ending_under_load_gives_no_warning_in_development_mode() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_requests_are_kept_without_showing_their_secrets(api: Api) -> None:
    await api.send("GET", ACCOUNT, query={"sure": "yes"})
    token, login, account = api.cloud.requests
    assert token.form == {"grant_type": "client_credentials"}
    assert login.json["password"] == api.cloud.credentials.password.reveal()
    assert (account.method, account.path, account.query) == ("GET", ACCOUNT, {"sure": "yes"})
    assert account.headers["vz-m2m-token"] == api.session
    shown = repr(api.cloud.requests)
    secrets = [login.json["password"], str(api.session), str(api.bearer), token.headers["Authorization"]]
    assert not [secret for secret in secrets if secret in shown]
    assert "session.log_in" in shown


async def test_a_request_to_nowhere_is_received_without_an_operation(api: Api) -> None:
    await api.send("GET", "/api/m2m/v1/nowhere")
    assert (api.cloud.requests[-1].operation, api.cloud.requests[-1].status) == (None, 400)


async def test_only_the_latest_requests_are_kept_and_all_are_counted(api: Api) -> None:
    assert api.cloud.requests.limit == 10_000
    for _ in range(3):
        await api.account()
    api.cloud.requests.clear()
    assert api.cloud.count("accounts.get") == 3
    assert api.cloud.count("devices.list") == 0


async def test_a_hundred_requests_at_once_are_all_answered(api: Api) -> None:
    answers = await asyncio.gather(*(api.account() for _ in range(100)))
    assert {answer.status for answer in answers} == {200}


async def test_credentials_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    assert Simulator(seed=4).credentials == Simulator(seed=4).credentials
    assert Simulator(seed=4).credentials.password != Simulator(seed=5).credentials.password


def test_the_clock_goes_on_with_real_time_and_jumps() -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    clock = Clock(start)
    begun = time.monotonic()
    time.sleep(0.02)
    clock.advance(60)
    clock.advance(timedelta(hours=1))
    gone = clock.now() - start - timedelta(hours=1, minutes=1)
    assert timedelta(seconds=0.02) <= gone <= timedelta(seconds=time.monotonic() - begun)


def test_the_clock_does_not_go_back_and_has_a_time_zone() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        Clock(datetime(2030, 1, 1, tzinfo=UTC)).advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        Simulator(start=datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused


async def test_dates_follow_from_the_start() -> None:
    cloud = Simulator(start=datetime(2030, 1, 1, tzinfo=UTC))
    assert cloud.clock.now().year == 2030
    assert cloud.devices[-1].created_at < datetime(2030, 1, 1, tzinfo=UTC)
