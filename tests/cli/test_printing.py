"""What commands print next to their results: the log of -v, and notes and progress unless --quiet is given."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.inside import Inside, serving
from thingspace_async.callbacks import SqliteInbox
from thingspace_async.simulator import Simulator, Status

ACCOUNT = "0000123456-00001"
PLANS = ("plans", "--account", ACCOUNT)


@pytest.fixture
def cloud(inside: Inside) -> Iterator[Simulator]:
    with serving(devices=5) as cloud:
        inside.set(**cloud.exports())
        yield cloud


def secrets_of(cloud: Simulator) -> list[str]:
    """Return what no output may have: the password, the secret of the application and all tokens."""
    known = cloud.credentials
    tokens = [value for request in cloud.requests for value in (request.headers.get("Authorization", ""),)]
    tokens += [request.headers.get("VZ-M2M-Token", "") for request in cloud.requests]
    found = [known.password.reveal(), known.client_secret.reveal(), *(one.rpartition(" ")[2] for one in tokens)]
    return [one for one in found if one]


@pytest.mark.parametrize("words", [("-v", *PLANS), (*PLANS, "-v"), (*PLANS, "--verbose")])
def test_the_log_has_a_line_for_each_request_wherever_the_option_stands(
    cloud: Simulator, inside: Inside, words: tuple[str, ...]
) -> None:
    status, printed, complaints = inside.run(*words)
    assert (status, printed.split()[:2]) == (0, ["code", "name"])
    lines = complaints.splitlines()
    assert [line.split()[1] for line in lines] == ["POST", "POST", "GET", "POST"]
    assert f"GET {cloud.url}/api/m2m/v1/plans/{ACCOUNT}: status 200 in 0." in lines[2]


@pytest.mark.parametrize("words", [("-vv", *PLANS), ("-v", *PLANS, "-v"), (*PLANS, "-vv")])
def test_twice_prints_the_retries_too(cloud: Simulator, inside: Inside, words: tuple[str, ...]) -> None:
    cloud.faults.add("accounts.service_plans", Status(503))
    status, _, complaints = inside.run(*words)
    assert status == 0
    assert "accounts.service_plans: try 1 failed" in complaints


@pytest.mark.parametrize(
    ("words", "password"),
    [(PLANS, None), (PLANS, "a wrong p4ssword"), (("devices", "list", "--account", ACCOUNT), None)],
)
def test_no_log_has_a_secret(
    cloud: Simulator, inside: Inside, tmp_path: Path, words: tuple[str, ...], password: str | None
) -> None:
    if password is not None:
        inside.set(THINGSPACE_PASSWORD=password, THINGSPACE_GUARD_FILE=str(tmp_path / "guard.json"))
    _, printed, complaints = inside.run("-vv", *words, "-vv")
    secrets = [*secrets_of(cloud), *([password] if password else [])]
    assert len(secrets) > 3
    assert not [secret for secret in secrets if secret in printed + complaints]


def test_no_log_has_the_password_of_a_listener(cloud: Simulator, inside: Inside, tmp_path: Path) -> None:
    path = str(tmp_path / "messages.db")

    async def kept() -> list[str]:
        async with SqliteInbox(path) as inbox:
            return [field for one in (await inbox.kept()).values() for field in json.loads(one.reveal())[1:]]

    asyncio.run(kept())  # It makes the inbox.
    words = ("callbacks", "register", "CarrierService", "--base-url", "https://fleet.example.com/in", "--inbox", path)
    status, printed, complaints = inside.run("-vv", *words, "--account", ACCOUNT, "--yes")
    (_, password) = asyncio.run(kept())
    assert cloud.listeners[ACCOUNT]["CarrierService"]["password"] == password
    assert (status, password in printed + complaints) == (0, False)


def test_without_the_option_there_is_no_log_and_a_later_command_has_none(cloud: Simulator, inside: Inside) -> None:
    for words in (PLANS, ("-vv", *PLANS), PLANS):
        status, _, complaints = inside.run(*words)
        assert (status, complaints == "") == (0, "-vv" not in words)
    assert logging.getLogger("thingspace_async").level == logging.NOTSET


LOCATE = ("locate", "--cached", "--account", ACCOUNT)


@pytest.mark.parametrize("words", [("--quiet", *LOCATE), (*LOCATE, "--quiet"), (*LOCATE, "-q")])
def test_quiet_prints_no_notes_and_no_progress(cloud: Simulator, inside: Inside, words: tuple[str, ...]) -> None:
    _, printed, complaints = inside.run(*LOCATE)
    assert "devices: " in complaints
    assert "━" in complaints
    assert inside.run(*words)[1:] == (printed, "")


def test_quiet_keeps_errors_and_what_a_dry_run_would_do(cloud: Simulator, inside: Inside) -> None:
    status, _, complaints = inside.run("--quiet", "plans", "--account", "0000999999-00001")
    assert (status, complaints.count("\n")) == (1, 1)
    words = ("groups", "create", "Pumps", "--description", "d", "--account", ACCOUNT, "--dry-run", "--quiet")
    assert inside.run(*words) == (0, "", f"would create the group Pumps of {ACCOUNT} with 0 devices\n")


@pytest.mark.parametrize("words", [("devices", "list"), ("locate", "--cached"), ("usage", "--month", "2025-11")])
def test_a_state_that_does_not_exist_is_an_error_that_lists_the_states(
    cloud: Simulator, inside: Inside, words: tuple[str, ...]
) -> None:
    status, printed, complaints = inside.run(*words, "--account", ACCOUNT, "--state", "nonsense", "--quiet")
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert "--state nonsense does not exist: choose from active, deactive, preactive, suspend" in complaints


def test_quiet_leaves_only_the_steps_of_the_demo(cloud: Simulator, inside: Inside) -> None:
    _, printed, _ = inside.run("demo", "--live")
    assert "━" in printed
    status, printed, complaints = inside.run("demo", "--live", "--quiet")
    assert (status, "━" in printed, "5 devices in" in printed, complaints) == (0, False, True, "")


def test_a_wrong_state_leaves_no_progress_that_would_stop_the_right_command(
    cloud: Simulator, inside: Inside, tmp_path: Path
) -> None:
    words = ("usage", "--month", "2025-11", "--account", ACCOUNT, "--output", str(tmp_path / "usage.csv"))
    assert inside.run(*words, "--state", "nonsense")[0] == 2
    assert list(tmp_path.iterdir()) == []
    assert inside.run(*words)[0] == 0
