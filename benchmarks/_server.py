"""A minimal server in its own process: it sends prepared answers and only checks the session token.

The simulator would be too expensive: the benchmarks would measure it instead of the client.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from benchmarks import _data
from thingspace_async import Credentials, Environment

__all__ = ["CREDENTIALS", "ROOT", "Server", "running"]

ROOT = Path(__file__).parent.parent
CREDENTIALS = Credentials(client_id="key", client_secret="secret", username="user", password="password")


class Server:
    """The server as the benchmarks see it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.environment = Environment.at(self.url)

    def log_in(self) -> dict[str, str]:
        """Return the headers of a call, for clients that do not use the package."""
        token = orjson.loads(self._post("/api/m2m/v1/session/login"))["sessionToken"]
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "thingspace_async/0.1.0",
            "Authorization": "Bearer 0123456789abcdef0123456789abcdef",
            "VZ-M2M-Token": token,
        }

    def expire(self) -> None:
        """End all sessions."""
        self._post("/expire")

    def logins(self) -> int:
        """Return the number of logins so far."""
        return int(self._post("/logins"))

    def _post(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", data=b"") as answer:
            body: bytes = answer.read()
        return body


@contextmanager
def running(devices: int = 0) -> Iterator[Server]:
    """Run the server during the block, with some devices. It ends when its input closes."""
    command = [sys.executable, "-m", "benchmarks._server", str(devices)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Server(int(process.stdout.readline()))


class _Answers:
    """The answers, built before the first request."""

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._account = _answer(_data.account())
        self._oauth = _answer(
            orjson.dumps(
                {
                    "access_token": "0123456789abcdef0123456789abcdef",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "scope": "default",
                }
            )
        )
        code = "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired"
        self._expired = _answer(orjson.dumps({"errorCode": code, "errorMessage": "The Session has expired"}), 400)
        last = f"{_data.PAGE_SIZE:010}".encode()
        self._page = _data.page(_data.PAGE_SIZE, more=True).rpartition(last) if devices else (b"", b"", b"")
        self._tokens: set[bytes] = set()
        self._logins = 0

    def to(self, target: bytes, head: bytes, body: bytes) -> bytes:
        if target.startswith(b"/api/m2m/v1/accounts/"):
            return self._account if self._has_session(head) else self._expired
        if target == b"/api/m2m/v1/devices/actions/list":
            return self._list(orjson.loads(body)["largestDeviceIdSeen"]) if self._has_session(head) else self._expired
        if target == b"/api/m2m/v1/session/login":
            self._logins += 1
            token = str(uuid.uuid4())
            self._tokens.add(token.encode())
            return _answer(orjson.dumps({"sessionToken": token}))
        if target == b"/api/m2m/v1/session/logout":
            return _answer(b"{}")
        if target == b"/api/ts/v1/oauth2/token":
            return self._oauth
        if target == b"/logins":
            return _answer(b"%d" % self._logins)
        if target == b"/expire":
            self._tokens.clear()
            return _answer(b"{}")
        return _answer(b"{}", 404)

    def _has_session(self, head: bytes) -> bool:
        return head.partition(b"VZ-M2M-Token: ")[2][:36] in self._tokens

    def _list(self, seen: int) -> bytes:
        """Return the prepared page with the number of its last device replaced, so that the walk continues."""
        before, _, after = self._page
        last = seen + _data.PAGE_SIZE
        if last >= self._devices:
            before = before.replace(b'"hasMoreData":true', b'"hasMoreData":false', 1)
        return _answer(b"%s%010d%s" % (before, last, after), 202 if last < self._devices else 200)


def _answer(body: bytes, status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One connection. Its client waits for each answer before it sends the next request."""

    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        if length and len(body) < int(length):
            return
        self._received = b""
        self._transport.write(self._answers.to(head.split(b" ", 2)[1], head, body))


async def _serve(devices: int) -> None:
    loop = asyncio.get_running_loop()
    answers = _Answers(devices)
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=1024)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
