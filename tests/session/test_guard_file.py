"""The guard's file: processes share refused passwords and remember them after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.forked import Forked
from tests.session import guarded
from tests.session.fake import LOG_IN, Platform, hang_up, running, say_nothing

pytestmark = pytest.mark.processes

WRONG: Final = "hush-wrong"
FILE: Final = "THINGSPACE_GUARD_FILE"


@attrs.frozen
class Result:
    """The output of a process."""

    outcome: str
    log: str

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith("WARNING thingspace_async")]


class Host:
    """Start processes that log in to a platform and share one state folder."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self.folder = folder
        self.file = folder / "guard.json"
        self.variables = {FILE: str(self.file)}

    def environ(self) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("THINGSPACE_")}
        state = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")}
        return inherited | state | self.variables

    async def start(self, password: str | None = None, *, force: bool = False, url: str | None = None) -> Forked:
        """Start a process that logs in. Pass it to `result_of`."""
        platform = self.platform
        known = {name: getattr(platform, name) for name in ("client_id", "client_secret", "username", "password")}
        if password is not None:
            known["password"] = password
        work = functools.partial(guarded.main, force=force)
        return await Forked.start(work, url or platform.url, known, variables=self.environ())

    async def log_in(self, password: str | None = None, *, force: bool = False, url: str | None = None) -> Result:
        return await result_of(await self.start(password, force=force, url=url))

    @property
    def logins(self) -> int:
        return self.platform.count(LOG_IN)

    def refused(self) -> int:
        return sum(call.json["password"] != self.platform.password for call in self.platform.seen(LOG_IN))


async def result_of(process: Forked) -> Result:
    status, printed, log = await process.result()
    assert status == 0, log
    assert "hush" not in log
    return Result(printed.strip(), log)


@pytest.fixture
async def host(platform: Platform, tmp_path: Path) -> Host:
    return Host(platform, tmp_path)


# Restarts


@pytest.mark.slow
async def test_twelve_restarts_send_a_wrong_password_once(host: Host) -> None:
    assert (await host.log_in()).outcome == "open"
    outcomes = [(await host.log_in(WRONG)).outcome for _ in range(12)]
    assert outcomes == ["LoginRefused"] * 12
    assert host.refused() == 1
    assert (await host.log_in()).outcome == "open"


@pytest.mark.slow
async def test_twelve_restarts_with_different_typos_are_refused_three_times(host: Host) -> None:
    assert (await host.log_in()).outcome == "open"
    outcomes = [(await host.log_in(f"{WRONG}-{turn}")).outcome for turn in range(12)]
    assert outcomes == ["LoginRefused"] * 12
    assert host.refused() == 3
    assert (await host.log_in()).outcome == "open"


async def test_eight_processes_at_once_send_a_wrong_password_once(host: Host) -> None:
    results = await asyncio.gather(*(host.log_in(WRONG) for _ in range(8)))
    assert {result.outcome for result in results} == {"LoginRefused"}
    assert host.refused() == 1
    assert (await host.log_in()).outcome == "open"


async def test_eight_processes_at_once_with_different_typos_are_refused_three_times(host: Host) -> None:
    assert (await host.log_in()).outcome == "open"
    results = await asyncio.gather(*(host.log_in(f"{WRONG}-{number}") for number in range(8)))
    assert {result.outcome for result in results} == {"LoginRefused"}
    assert host.refused() == 3
    assert (await host.log_in()).outcome == "open"


async def test_force_sends_a_password_that_was_never_accepted(host: Host) -> None:
    for number in range(3):
        await host.log_in(f"{WRONG}-{number}")
    assert (await host.log_in()).outcome == "LoginRefused"
    assert host.logins == 3
    assert (await host.log_in(force=True)).outcome == "open"
    assert (await host.log_in()).outcome == "open"


async def test_unanswered_logins_are_remembered(host: Host) -> None:
    host.platform.always(LOG_IN, hang_up)
    outcomes = [(await host.log_in(WRONG)).outcome for _ in range(4)]
    assert outcomes == ["AnswerLost"] * 2 + ["LoginRefused"] * 2
    assert host.logins == 2


# A killed process


async def test_a_process_killed_during_its_login_does_not_block_others(host: Host) -> None:
    host.platform.on(LOG_IN, say_nothing)
    process = await host.start()
    async with asyncio.timeout(30):
        while not host.logins:
            await asyncio.sleep(0.01)
    process.kill()
    await process.result()
    async with asyncio.timeout(30):  # Long enough for a slow machine to start Python. A login's own limit is a minute.
        assert (await host.log_in()).outcome == "open"


async def test_killed_processes_count_as_unanswered(host: Host) -> None:
    """In a crash loop, each login may have been refused."""
    for turn in range(2):
        host.platform.on(LOG_IN, say_nothing)
        process = await host.start(WRONG)
        async with asyncio.timeout(30):
            while host.logins <= turn:
                await asyncio.sleep(0.01)
        process.kill()
        await process.result()
    assert (await host.log_in(WRONG)).outcome == "LoginRefused"
    assert host.logins == 2


# The file


async def test_the_file_holds_no_name_and_no_secret_and_only_its_owner_reads_it(host: Host) -> None:
    old = os.umask(0)
    try:
        await host.log_in(WRONG)
        await host.log_in()
    finally:
        os.umask(old)
    assert host.file.is_file()
    for path in (found for found in host.folder.rglob("*") if found.is_file()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        text = path.read_text()
        for hidden in ("hush", host.platform.username, host.platform.client_id):
            assert hidden not in text, path


async def test_the_folder_of_the_file_named_by_the_variable_is_created(host: Host) -> None:
    host.file = host.folder / "new" / "folder" / "guard.json"
    host.variables[FILE] = str(host.file)
    assert (await host.log_in(WRONG)).warnings == []
    assert host.file.is_file()


async def test_off_keeps_the_guard_in_the_process(host: Host) -> None:
    host.variables[FILE] = "off"
    for _ in range(2):
        result = await host.log_in(WRONG)
        assert result == Result("LoginRefused", "")
    assert host.logins == 2
    assert [found for found in host.folder.rglob("*") if found.is_file()] == []


async def test_wrong_passwords_on_loopback_are_not_recorded_by_default(host: Host) -> None:
    del host.variables[FILE]
    for _ in range(2):
        assert (await host.log_in(WRONG)).outcome == "LoginRefused"
    assert host.logins == 2
    assert list(host.folder.rglob("guard*")) == []


async def test_by_default_the_file_is_in_the_users_state_directory(host: Host) -> None:
    del host.variables[FILE]
    url = f"http://gateway.example:{host.platform.port}"
    for _ in range(2):
        assert (await host.log_in(WRONG, url=url)).outcome == "LoginRefused"
    assert host.logins == 1
    (file,) = host.folder.rglob("guard.json")  # HOME contains the state directory on every system.
    assert file.parent.name == "thingspace_async"


# Trouble with the file


def _is_a_folder(host: Host) -> None:
    host.file.mkdir()


def _has_a_file_for_a_folder(host: Host) -> None:
    (host.folder / "file").touch()
    host.variables[FILE] = str(host.folder / "file" / "guard.json")


@pytest.mark.parametrize("spoil", [_is_a_folder, _has_a_file_for_a_folder])
async def test_a_file_that_cannot_be_written_causes_one_warning(host: Host, spoil: Callable[[Host], None]) -> None:
    """Permissions do not work here, because root may write everywhere."""
    spoil(host)
    result = await host.log_in()
    assert result.outcome == "open"
    assert len(result.warnings) == 1
    assert FILE in result.warnings[0]
    assert "Traceback" not in result.log


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version": 99}', b'{"users": 7}', b"\xff\x00", b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "version", "users", "binary", "deep"],
)
async def test_a_corrupt_file_causes_at_most_one_warning_and_is_replaced(host: Host, content: bytes) -> None:
    host.file.write_bytes(content)
    result = await host.log_in(WRONG)
    assert result.outcome == "LoginRefused"
    assert len(result.warnings) <= 1
    assert "Traceback" not in result.log
    assert await host.log_in(WRONG) == Result("LoginRefused", "")
    assert host.logins == 1


async def test_concurrent_processes_keep_each_others_refusals(host: Host) -> None:
    """Processes that share a file do not overwrite each other's entries."""
    others = [Platform() for _ in range(4)]
    async with contextlib.AsyncExitStack() as stack:
        hosts = [Host(await stack.enter_async_context(running(other)), host.folder) for other in others]
        for _ in range(2):
            await asyncio.gather(*(one.log_in(WRONG) for one in hosts))
        assert [one.logins for one in hosts] == [1] * 4
