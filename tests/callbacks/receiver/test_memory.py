"""The memory of a receiver is bounded, however much is sent at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from tests.callbacks.receiver.conftest import head, line_to, message

ROOT = Path(__file__).parents[3]
MB = 1024 * 1024


def _long(size: int, **changes: object) -> bytes:
    body = json.dumps(message(**changes, comment="")).encode()
    return body.replace(b'"comment": ""', b'"comment": "' + b"x" * (size - len(body)) + b'"')


def _framed(body: bytes, framing: str) -> tuple[str, bytes]:
    if framing == "length":
        return f"Content-Length: {len(body)}", body
    return "Transfer-Encoding: chunked", b"".join([f"{len(body):x}\r\n".encode(), body, b"\r\n0\r\n\r\n"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("max_body", "size", "framing", "password", "most"),
    [
        (MB // 4, MB, "length", "wrong", 200),
        (MB // 4, MB, "chunked", "wrong", 200),
        (MB, MB, "chunked", "wrong", 300),  # Bodies this long are refused by default.
        (MB // 4, MB // 4, "length", "right", 400),  # A stored message is copied several times.
    ],
)
async def test_500_concurrent_bodies_take_bounded_memory(
    tmp_path: Path, *, max_body: int, size: int, framing: str, password: str, most: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.callbacks.receiver.serving", str(tmp_path / "inbox.db"), str(max_body)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answers: Counter[str] = Counter()
    changes = {} if password == "right" else {"password": "wrong"}
    framed = _framed(_long(size - 64, **changes), framing)
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(line_to(url)) for _ in range(500)]

            async def send(number: int) -> None:
                line, path = lines[number]
                answered = asyncio.create_task(line.answer())
                line.send(head(path, framed[0]))
                for start in range(0, len(framed[1]), 65536):
                    line.send(framed[1][start : start + 65536])
                    with suppress(ConnectionError):  # The server has refused it.
                        await line.drain()
                    if answered.done():
                        break
                answers[(await answered)[9:12]] += 1

            async with asyncio.timeout(60):
                await asyncio.gather(*map(send, range(500)))
        process.stdin.close()
        before, peak = map(int, (await process.stdout.readline()).split())
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert answers.total() == 500
    assert peak < most, f"it started with {before} MB, and answered {answers}"
