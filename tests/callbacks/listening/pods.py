"""One of several processes that serve one URL, like pods behind a load balancer. Here the kernel balances.

Run as `python -m tests.callbacks.listening.pods PORT SIMULATOR_URL`, with credentials in the environment. Its input has
one inbox per line. For each it opens the inbox, serves, listens and prints `ready`. At an empty line it prints `over`.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from tests.callbacks.inbox.opening import opened
from thingspace_async import Credentials, Environment, Session
from thingspace_async.callbacks import CallbackService
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import application

ACCOUNT = "0000123456-00001"


async def _line() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(port: int, url: str) -> None:
    async with Session(Credentials.from_environment(), environment=Environment.at(url), log_out="never") as session:
        _say("begun")
        while place := await _line():
            async with opened(place) as inbox:
                receiver = Receiver(inbox)
                runner = web.AppRunner(application(receiver), access_log=None)
                await runner.setup()
                try:
                    await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
                    async with session.listen(
                        ACCOUNT, receiver, base_url=f"http://127.0.0.1:{port}", services=[CallbackService.CARRIER]
                    ):
                        _say("ready")
                        await _line()
                finally:
                    await runner.cleanup()
            _say("over")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
