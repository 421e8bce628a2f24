"""A working folder for `thingspace fleet`: devices, an inbox with a receiver, and a simulator."""

from __future__ import annotations

import asyncio
import csv
import os
import pty
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tests.cli.commands import run, run_on
from tests.cli.test_cli import finish, reaching, start, start_with
from thingspace_async.simulator import Simulator

__all__ = ["ACCOUNT", "Place", "terminal"]

ACCOUNT = "0000123456-00001"


@contextmanager
def terminal(typed: str) -> Iterator[str]:
    """Make a terminal on which something is typed already, and return its name."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        yield os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


class Place:
    """A folder with a list of devices, a simulator, and a receiver for the inbox."""

    def __init__(self, folder: Path, cloud: Simulator, receiver_url: str) -> None:
        self.cloud = cloud
        self.receiver_url = receiver_url
        self.source = folder / "devices.csv"
        self.results = folder / "devices.results.csv"
        self.inbox = folder / "messages.db"

    def active(self, count: int) -> list[str]:
        """Put devices into service, and return their IMEIs."""
        devices = [self.cloud.devices[place] for place in range(count)]
        for device in devices:
            device.state = "active"
        return [one["id"] for device in devices for one in device.device_ids if one["kind"].casefold() == "imei"]

    def suspend(self, count: int) -> None:
        """Set devices to suspended."""
        for number in range(count):
            self.cloud.devices[number].state = "suspend"

    def write(self, imeis: list[str]) -> None:
        self.source.write_text("\n".join(["imei,note", *(f"{imei},mine" for imei in imeis)]))

    def read(self) -> list[dict[str, str]]:
        with self.results.open(newline="") as lines:
            return list(csv.DictReader(lines))

    def words(self, action: str, *words: str) -> list[str]:
        named = ["--account", ACCOUNT, "--from", str(self.source), "--inbox", str(self.inbox)]
        return ["fleet", action, *named, *words]

    async def start(self, action: str, *words: str) -> Process:
        return await start(*self.words(action, "--yes", *words), **reaching(self.cloud))

    async def run(self, action: str, *words: str) -> tuple[int, str, str]:
        """Run a command as a script does, without a terminal."""
        return await run(*self.words(action, "--yes", *words), **reaching(self.cloud))

    async def run_unsure(self, action: str, *words: str) -> tuple[int, str, str]:
        """Run a command without --yes."""
        return await run(*self.words(action, *words), **reaching(self.cloud))

    async def command(self, *words: str) -> tuple[int, str, str]:
        """Run a command of an account as a script does, without a terminal."""
        return await run(*words, "--account", ACCOUNT, **reaching(self.cloud))

    async def command_on_terminal(self, typed: str, *words: str) -> tuple[int, str, str]:
        """Run a command of an account on a terminal, with its answer already typed."""
        with terminal(typed) as name:
            return await run_on(name, *words, "--account", ACCOUNT, **reaching(self.cloud))

    async def look(self, *words: str) -> tuple[int, str, str]:
        """Run `fleet runs` or `fleet status`."""
        return await run("fleet", words[0], "--inbox", str(self.inbox), *words[1:])

    async def run_on_terminal(self, typed: str, action: str, *words: str) -> tuple[int, str, str]:
        """Run a command on a terminal, with its answer already typed."""
        with terminal(typed) as name:
            return await run_on(name, *self.words(action, *words), **reaching(self.cloud))

    async def interrupt_on_terminal(self, action: str) -> tuple[int, str, str]:
        """Run a command on a terminal, and interrupt it when it asks."""
        ours, theirs = pty.openpty()
        try:
            process = await start_with(theirs, PIPE, *self.words(action), **reaching(self.cloud))
            assert process.stderr is not None
            async with asyncio.timeout(60):
                asked = await process.stderr.readuntil(b"[y/N] ")
            process.send_signal(signal.SIGINT)
            status, printed, complaints = await finish(process)
        finally:
            os.close(ours)
            os.close(theirs)
        return status, printed, asked.decode() + complaints

    def sent(self, action: str) -> list[str]:
        bodies = [orjson.loads(one.body) for one in self.cloud.requests if one.operation == f"devices.{action}"]
        return [device["deviceIds"][0]["id"] for body in bodies for device in body["devices"]]
