"""Answers and streams in a program whose receiver and whose waiting part are processes, killed and restarted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.callbacks.listening.parts import ACCOUNT, ask, follow, receive
from tests.forked import Forked
from thingspace_async import DeviceId, Session
from thingspace_async.qos import Flow, QosDevice, QosRequest
from thingspace_async.simulator import Simulator

pytestmark = pytest.mark.processes


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=5) as cloud:
        cloud.clock.speed = 0
        yield cloud


class Program:
    """Starts the parts of a program."""

    def __init__(self, cloud: Simulator, folder: Path) -> None:
        self.cloud, self.folder, self.inbox = cloud, folder, folder / "inbox.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    async def receiver(self) -> Forked:
        """Start a receiver, and wait until it listens."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        process = await Forked.start(receive, self.inbox, self.port, ready, variables=self.cloud.exports())
        await until(ready.exists)
        return process

    async def asker(self, request_id: str | None = None) -> Forked:
        """Start a part that asks, or waits for an answer."""
        given = (self.inbox, self.folder / "requests", request_id)
        return await Forked.start(ask, *given, variables=self.cloud.exports())

    async def asked(self) -> str:
        """Wait for the id of the question."""
        requests = self.folder / "requests"
        await until(lambda: requests.exists() and requests.read_text().endswith("\n"))
        return requests.read_text().strip()

    async def follower(self, request_id: str) -> Forked:
        """Start a part that follows a stream, after what it has seen already."""
        given = (self.inbox, self.folder / "seen", request_id)
        return await Forked.start(follow, *given, variables=self.cloud.exports())

    async def seen(self, count: int) -> list[str]:
        """Wait until a number of messages was seen, and return the number of each one."""
        place = self.folder / "seen"

        def numbers() -> list[str]:
            return place.read_text().splitlines() if place.exists() else []

        await until(lambda: len(numbers()) >= count)
        return numbers()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


async def killed(process: Forked) -> None:
    process.kill()
    status, _, complaints = await process.result()
    assert (status, complaints) == (-9, "")


async def test_an_answer_arrives_although_the_receiver_was_killed_and_the_asker_restarted(
    cloud: Simulator, tmp_path: Path
) -> None:
    program = Program(cloud, tmp_path)
    await killed(await program.receiver())
    asker = await program.asker()
    request_id = await program.asked()
    cloud.clock.advance(timedelta(minutes=2))
    await until(lambda: any(one.attempts for one in cloud.deliveries))  # Nobody listens.
    await killed(asker)
    receiver, asker = await program.receiver(), await program.asker(request_id)
    cloud.clock.advance(timedelta(hours=1))
    assert await asker.result() == (0, f"{request_id}\n", "")
    await killed(receiver)


async def test_a_follower_that_was_killed_continues_after_the_last_message_that_it_handled(
    cloud: Simulator, tmp_path: Path
) -> None:
    program = Program(cloud, tmp_path)
    receiver = await program.receiver()
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        active = [one async for one in session.devices.list(account_name=ACCOUNT, current_state="active")]
        flow = Flow(flow_server="203.0.113.7:443", flow_device="198.51.100.9")
        device = QosDevice(device_id=DeviceId.imei(active[0].imei or ""), flows=[flow])
        accepted = await session.qos.start(QosRequest(account_name=ACCOUNT, device_info=[device]))
    numbers: list[str] = []
    for _ in range(3):
        follower = await program.follower(accepted.request_id)
        cloud.clock.advance(timedelta(hours=3))
        await cloud.delivered()
        numbers = await program.seen(len(numbers) + 1)
        await killed(follower)
    assert len(numbers) == len(set(numbers))
    assert numbers == sorted(numbers, key=int)
    await killed(receiver)
