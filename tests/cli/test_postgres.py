"""The commands with an inbox in PostgreSQL, in separate processes."""

from __future__ import annotations

import pytest

from tests.callbacks.inbox.opening import opened
from tests.callbacks.receiver.conftest import REQUEST_ID, SERVICE, body_of
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_receiver import post, running
from tests.postgres.servers import needs_postgres

pytestmark = [pytest.mark.processes, needs_postgres]


async def test_the_receiver_keeps_messages_in_postgresql(postgres: str) -> None:
    async with running(postgres) as (process, url):
        assert await post(f"{url}/{SERVICE}", body_of()) == 200
        assert await post(f"{url}/{SERVICE}", body_of(password="wrong")) == 401
        process.kill()
        await process.communicate()
    async with opened(postgres) as inbox:
        assert [one.message.request_id async for one in inbox.read()] == [REQUEST_ID]


async def test_a_fleet_command_gets_outcomes_from_a_receiver_in_another_process(place: Place, postgres: str) -> None:
    imeis = place.active(20)
    place.write(imeis)
    async with running(postgres) as (_, url):
        words = ("--inbox", postgres, "--base-url", url, "--no-serve", "--replace")
        status, printed, complaints = await place.run("suspend", *words)
        assert (status, "20 succeeded" in printed) == (0, True), complaints
        assert place.cloud.listeners[ACCOUNT][SERVICE]["url"].startswith(url)
        assert sorted(place.sent("suspend")) == sorted(imeis)
        status, printed, complaints = await place.run("restore", "--inbox", postgres)
        assert (status, "20 succeeded" in printed) == (0, True), complaints
    status, _, complaints = await place.run("suspend", "--inbox", postgres)
    assert (status, "the run 'suspend devices' is finished" in complaints) == (3, True)
    status, printed, complaints = await place.look("runs", "--inbox", postgres)
    assert status == 0, complaints
    assert [line.split()[:2] for line in printed.splitlines()[1:]] == [["restore", "devices"], ["suspend", "devices"]]
    assert (
        "accepted, and every outcome has come  20\n"
        in (await place.look("status", "suspend devices", "--inbox", postgres))[1]
    )


async def test_a_wrong_password_ends_commands_at_once_and_is_not_shown(place: Place, postgres: str) -> None:
    place.write(place.active(2))
    wrong = postgres.replace("postgres@", "guarded:guess@")
    status, printed, complaints = await place.run("suspend", "--inbox", wrong)
    assert (status, printed, "it refuses the user or the password" in complaints) == (1, "", True), complaints
    assert "guess" not in complaints
    assert place.sent("suspend") == []
