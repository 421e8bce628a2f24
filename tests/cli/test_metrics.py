"""`thingspace receiver --metrics`: what it serves, also while its inbox is away."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.callbacks.receiver.conftest import PASSWORD, SERVICE, USERNAME, body_of
from tests.cli.commands import run
from tests.cli.test_cli import finish, start
from thingspace_async import Secret
from thingspace_async._cli._metrics import serve_metrics
from thingspace_async.callbacks import MemoryInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.errors import ConfigurationError, InboxUnavailable

SECRETS = {"THINGSPACE_CALLBACK_USERNAME": USERNAME, "THINGSPACE_CALLBACK_PASSWORD": PASSWORD}


class Troubled(MemoryInbox):
    """An inbox whose store can be away in two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.hangs = False
        self.questions = 0

    async def kept(self) -> dict[str, Secret]:
        self.questions += 1
        if self.is_away:
            raise InboxUnavailable("the server is away: start it")
        if self.hangs:
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    if not self.hangs:
                        raise  # Until then, it does not even let itself be cancelled.
        return await super().kept()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.text()


async def post(url: str, body: bytes) -> int:
    async with aiohttp.ClientSession() as client, client.post(url, data=body) as answer:
        return answer.status


def samples(text: str) -> Mapping[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


async def test_it_is_ready_only_while_the_inbox_answers() -> None:
    async with Troubled() as inbox, serve_metrics(Receiver(inbox), host="127.0.0.1", port=0) as url:
        assert await get(f"{url}/readyz") == (200, "ready\n")
        inbox.is_away = True
        assert await get(f"{url}/readyz") == (503, "the inbox cannot be used: the server is away: start it\n")
        assert (await get(f"{url}/healthz"))[0] == 200
        assert samples((await get(f"{url}/metrics"))[1])["thingspace_receiver_ready"] == 0
        inbox.is_away = False
        assert (await get(f"{url}/readyz"))[0] == 200
        assert samples((await get(f"{url}/metrics"))[1])["thingspace_receiver_ready"] == 1


async def test_an_inbox_that_hangs_blocks_no_probe_and_is_asked_once() -> None:
    async with (
        Troubled() as inbox,
        serve_metrics(Receiver(inbox), host="127.0.0.1", port=0, answers_within=0.2) as url,
    ):
        inbox.hangs = True
        started = time.monotonic()
        answers = await asyncio.gather(*(get(f"{url}/{path}") for path in ["readyz"] * 20 + ["healthz", "metrics"]))
        assert [status for status, _ in answers] == [503] * 20 + [200, 200]
        assert time.monotonic() - started < 60  # It hangs for an hour.
        assert await get(f"{url}/readyz") == (503, "the inbox cannot be used: it has not answered within 0.2 s\n")
        assert inbox.questions == 1
        inbox.hangs = False


async def test_messages_are_counted_and_no_strangers_word_is_repeated() -> None:
    async with MemoryInbox() as inbox:
        receiver = Receiver(inbox)
        receiver.expect(SERVICE, username=USERNAME, password=PASSWORD)
        async with (
            serve_metrics(receiver, host="127.0.0.1", port=0) as measured,
            serve(receiver, port=0) as url,
        ):
            assert await post(f"{url}/{SERVICE}", body_of()) == 200
            assert await post(f"{url}/{SERVICE}", body_of(password="wrong")) == 401
            assert await post(f"{url}/stranger", body_of()) == 404
            assert await post(f"{url}/another", body_of()) == 404
            status, text = await get(f"{measured}/metrics")
            assert (await get(f"{url}/metrics"))[0] == 404
    found = samples(text)
    assert status == 200
    name = "thingspace_receiver_messages_total"
    assert {one: value for one, value in found.items() if one.startswith(name)} == {
        f'{name}{{result="stored",service="{SERVICE}",status="200"}}': 1,
        f'{name}{{result="refused",service="{SERVICE}",status="401"}}': 1,
        f'{name}{{result="unmatched",service="",status="404"}}': 2,
    }
    assert found["thingspace_receiver_message_seconds_count"] == 1
    assert not [word for word in (PASSWORD, USERNAME, "stranger", "another") if word in text]


async def test_a_failing_hook_leaves_the_answer_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    async with MemoryInbox() as inbox:
        receiver = Receiver(inbox)
        receiver.add_hook(fail)
        receiver.expect(SERVICE, username=USERNAME, password=PASSWORD)
        reply = await receiver.handle(body_of(), headers={}, peer=None, service=SERVICE)
    assert reply.status == 200
    assert "on_answer failed; the message was answered 200" in caplog.text


@pytest.mark.processes
async def test_the_command_serves_metrics_until_it_is_interrupted(tmp_path: Path) -> None:
    words = ("--port", "0", "--inbox", str(tmp_path / "messages.db"), "--metrics", "--metrics-port", "0")
    process = await start("receiver", *words, **SECRETS)
    assert process.stdout is not None
    try:
        printed = ""
        async with asyncio.timeout(30):
            while "Ctrl-C" not in printed and (line := await process.stdout.readline()):
                printed += line.decode()
        places = re.findall(r"http://127\.0\.0\.1:\d+", printed)
        assert len(places) == 2, printed
        assert await post(f"{places[1]}/{SERVICE}", body_of()) == 200
        assert 'result="stored"' in (await get(f"{places[0]}/metrics"))[1]
        assert (await get(f"{places[0]}/readyz"))[0] == 200
        process.send_signal(signal.SIGINT)
        status, _, complaints = await finish(process)
        assert (status, complaints) == (128 + signal.SIGINT, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.processes
async def test_a_metrics_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        words = ("--metrics", "--metrics-port", str(other.getsockname()[1]), "--inbox", str(tmp_path / "messages.db"))
        status, _, complaints = await run("receiver", "--port", "0", *words)
    assert (status, complaints.count("\n")) == (1, 1)
    assert "choose another --metrics-port" in complaints


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from thingspace_async._cli.receiver import _measured

    monkeypatch.delitem(sys.modules, "thingspace_async._cli._metrics")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"prometheus_client: pip install 'thingspace_async\[metrics\]'"):
        _measured(Receiver(MemoryInbox()), "127.0.0.1", 0)
