"""`thingspace plans`, `callbacks`, `requests` and `request`, as a user runs them."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.commands import run, run_on
from tests.cli.place import Place
from thingspace_async import DeviceId, Session
from thingspace_async.callbacks import SqliteInbox, credentials
from thingspace_async.callbacks.admission import Credentials
from thingspace_async.devices import SuspendRequest
from thingspace_async.simulator import Simulator, Status

pytestmark = pytest.mark.processes

ACCOUNT = "0000123456-00001"
SERVICE = "CarrierService"


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=5) as cloud:
        cloud.clock.speed = 0
        yield cloud


def listen(cloud: Simulator) -> None:
    cloud.listeners[ACCOUNT][SERVICE] = {
        "accountName": ACCOUNT,
        "serviceName": SERVICE,
        "url": "https://fleet.example.com/callbacks",
        "username": "fleet",
        "password": "a password",
    }


async def suspended(cloud: Simulator) -> str:
    """Request the suspension of a device, and return the request id."""
    device = next(one for one in cloud.devices if one.state == "active")
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        request = SuspendRequest(account_name=ACCOUNT, devices=[DeviceId.imei(device.imei or "")])
        return (await session.devices.suspend(request)).request_id


# Plans, and the account of all commands


async def test_the_plans_of_an_account_are_listed(cloud: Simulator) -> None:
    status, printed, complaints = await run("plans", "--account", ACCOUNT, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert printed.split()[:2] == ["code", "name"]
    assert "M2M_4G_5MB" in printed
    _, printed, _ = await run("plans", "--json", THINGSPACE_ACCOUNT=ACCOUNT, **cloud.exports())
    assert "M2M_4G_5MB" in [one["code"] for one in json.loads(printed)]


@pytest.mark.parametrize(
    ("words", "expected", "complaint"),
    [
        ((), 2, "name an account with --account, or set THINGSPACE_ACCOUNT"),
        (("--account", " "), 2, "--account is empty"),
        (("--account", "0000999999-00001"), 1, "AccountNotFound"),
    ],
)
async def test_an_account_that_is_missing_or_unknown_is_one_line(
    cloud: Simulator, words: tuple[str, ...], expected: int, complaint: str
) -> None:
    status, printed, complaints = await run("plans", *words, **cloud.exports())
    assert (status, printed) == (expected, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1


# Listeners


async def test_listeners_are_listed_without_their_passwords(cloud: Simulator) -> None:
    listen(cloud)
    for form in ("table", "csv", "json", "jsonl"):
        words = ("callbacks", "list", "--account", ACCOUNT, "--format", form)
        status, printed, complaints = await run(*words, **cloud.exports())
        assert (status, complaints) == (0, "")
        assert "https://fleet.example.com/callbacks" in printed
        assert "a password" not in printed


async def test_a_listener_is_deregistered_after_a_confirmation_only(cloud: Simulator) -> None:
    listen(cloud)
    words = ("callbacks", "deregister", SERVICE, "--account", ACCOUNT)
    status, _, complaints = await run(*words, **cloud.exports())
    assert (status, "Pass --yes to confirm without a terminal" in complaints) == (1, True)
    status, _, complaints = await run(*words, "--dry-run", **cloud.exports())
    assert (status, complaints) == (
        0,
        f"would deregister https://fleet.example.com/callbacks for {SERVICE}, so that its messages are lost\n",
    )
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"no\n")
        status, _, _ = await run_on(os.ttyname(theirs), *words, **cloud.exports())
        assert (status, SERVICE in cloud.listeners[ACCOUNT]) == (1, True)
        os.write(ours, b"y\n")
        status, _, _ = await run_on(os.ttyname(theirs), *words, **cloud.exports())
        assert (status, SERVICE in cloud.listeners[ACCOUNT]) == (0, False)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    "url",
    ["https://me:s3cret@fleet.example.com/x", "https://fleet.example.com/x~me~s3cret", "https://a.example/x?k=s3cret"],
)
async def test_a_password_in_a_listeners_url_is_not_printed(cloud: Simulator, url: str) -> None:
    listen(cloud)
    cloud.listeners[ACCOUNT][SERVICE]["url"] = url
    for form in ("table", "csv", "json", "jsonl"):
        status, printed, _ = await run("callbacks", "list", "--account", ACCOUNT, "--format", form, **cloud.exports())
        assert (status, "example" in printed, "s3cret" in printed) == (0, True, False)
    for option in ("--dry-run", "--yes"):
        words = ("callbacks", "deregister", SERVICE, "--account", ACCOUNT, option)
        status, printed, complaints = await run(*words, **cloud.exports())
        assert (status, "example" in complaints, "s3cret" in printed + complaints) == (0, True, False)


async def test_a_service_without_a_listener_names_those_that_have_one(cloud: Simulator) -> None:
    listen(cloud)
    words = ("callbacks", "deregister", "StateService", "--account", ACCOUNT, "--yes")
    status, _, complaints = await run(*words, **cloud.exports())
    assert (status, complaints) == (
        1,
        f"thingspace: the account has no listener for StateService; it has: {SERVICE}\n",
    )


async def registered(cloud: Simulator, inbox: Path, *words: str) -> tuple[int, str]:
    """Register the receiver of an inbox; return the status and the complaints."""
    named = ("--base-url", "https://new.example.com/in/", "--inbox", str(inbox), "--account", ACCOUNT)
    status, printed, complaints = await run("callbacks", "register", *words, *named, **cloud.exports())
    assert printed == ""
    return status, complaints


async def test_a_receiver_is_registered_with_the_password_of_its_inbox(cloud: Simulator, tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "messages.db") as inbox:
        status, complaints = await registered(
            cloud, tmp_path / "messages.db", "carrierservice", "StateService", "--yes"
        )
        (expected,) = (await credentials.read_all(inbox))[SERVICE]
    listener = cloud.listeners[ACCOUNT][SERVICE]
    assert isinstance(expected, Credentials)
    assert (listener["username"], listener["password"]) == (expected.username, expected.password.reveal())
    assert listener["password"] not in complaints
    urls = {name: f"https://new.example.com/in/{name}" for name in (SERVICE, "StateService")}
    assert {name: cloud.listeners[ACCOUNT][name]["url"] for name in urls} == urls
    assert (status, complaints) == (
        0,
        f"registered {urls[SERVICE]} for {SERVICE}, {urls['StateService']} for StateService\n",
    )
    assert cloud.count("callbacks.register") == 2
    status, _ = await registered(cloud, tmp_path / "messages.db", SERVICE, "--yes")
    assert (status, cloud.count("callbacks.register")) == (0, 2)


async def test_a_receiver_is_registered_after_a_confirmation_only(cloud: Simulator, tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "messages.db"):
        pass
    status, complaints = await registered(cloud, tmp_path / "messages.db", SERVICE)
    assert (status, "Pass --yes to confirm without a terminal" in complaints) == (1, True)
    status, complaints = await registered(cloud, tmp_path / "messages.db", SERVICE, "--dry-run")
    assert (status, complaints) == (0, f"would register https://new.example.com/in/{SERVICE} for {SERVICE}\n")
    assert not cloud.count("callbacks.register")


async def test_the_listener_of_another_program_is_replaced_only_on_request(cloud: Simulator, tmp_path: Path) -> None:
    listen(cloud)
    async with SqliteInbox(tmp_path / "messages.db"):
        pass
    old = "https://fleet.example.com/callbacks"
    status, complaints = await registered(cloud, tmp_path / "messages.db", SERVICE, "--yes")
    taken = f"thingspace: the account has other listeners, {SERVICE} at {old}: pass --replace, or deregister them\n"
    assert (status, complaints, cloud.listeners[ACCOUNT][SERVICE]["url"]) == (1, taken, old)
    words = (SERVICE, "--replace")
    status, complaints = await registered(cloud, tmp_path / "messages.db", *words, "--dry-run")
    assert (status, f"for {SERVICE} instead of {old}" in complaints) == (0, True)
    status, _ = await registered(cloud, tmp_path / "messages.db", *words, "--yes")
    assert (status, cloud.listeners[ACCOUNT][SERVICE]["url"]) == (0, f"https://new.example.com/in/{SERVICE}")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--inbox", "nowhere.db"), "--inbox nowhere.db does not exist"),
        (("--base-url", "https://new.example.com:8443/in"), "port"),
        (("--base-url", "https://new.example.com/in?key=1"), "without a query"),
    ],
)
async def test_a_receiver_that_cannot_be_registered_is_one_line(
    cloud: Simulator, tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    async with SqliteInbox(tmp_path / "messages.db"):
        pass
    named = ("--inbox", str(tmp_path / "messages.db"), "--base-url", "https://new.example.com/in", "--account", ACCOUNT)
    command = ("callbacks", "register", SERVICE, *named, *words, "--yes")
    status, printed, complaints = await run(*command, PWD=str(tmp_path), **cloud.exports())
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert complaint in complaints
    assert not cloud.count("callbacks.register")
    assert not (tmp_path / "nowhere.db").exists()


# Requests


async def test_the_status_of_a_request_is_printed_and_waited_for(cloud: Simulator) -> None:
    request_id = await suspended(cloud)
    words = (request_id, "--account", ACCOUNT)
    status, printed, complaints = await run("requests", "status", *words, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert printed.split()[-1] == "Pending"
    status, _, complaints = await run("requests", "wait", *words, "--minutes", "0.01", **cloud.exports())
    assert (status, "was not finished after" in complaints) == (1, True)
    cloud.clock.advance(timedelta(minutes=2))
    status, printed, _ = await run("requests", "wait", *words, **cloud.exports())
    assert (status, printed.split()[-1]) == (0, "Success")


async def test_a_failed_request_ends_with_a_status_of_its_own(cloud: Simulator) -> None:
    failed = Status(200, {"requestId": "1", "status": "Failed"})
    cloud.faults.add("accounts.request_status", failed)
    status, printed, complaints = await run("requests", "status", "1", "--account", ACCOUNT, **cloud.exports())
    assert (status, printed.split()[-1], complaints) == (4, "Failed", "")


async def test_the_outcome_of_each_device_is_read_from_the_inbox_without_credentials(place: Place) -> None:
    active, other = place.active(2)
    place.suspend(1)  # The first one, so that its suspension fails.
    request = SuspendRequest(account_name=ACCOUNT, devices=[DeviceId.imei(active), DeviceId.imei(other)])
    async with Session(place.cloud.credentials, environment=place.cloud.environment) as session:
        request_id = (await session.devices.suspend(request)).request_id
    words = ("requests", "wait", request_id, "--inbox", str(place.inbox), "--json")
    status, printed, complaints = await run(*words, "--devices", "2")
    assert (status, len(json.loads(printed))) == (4, 2)
    assert complaints == f"request {request_id} was accepted, waiting for its results\n"
    status, printed, complaints = await run(*words, "--devices", "3", "--minutes", "0.02")
    assert (status, complaints.count("\n"), len(json.loads(printed))) == (1, 2, 2)


async def test_outcomes_need_an_inbox(cloud: Simulator) -> None:
    status, printed, complaints = await run("requests", "wait", "1", "--devices", "2", **cloud.exports())
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert "--devices needs an inbox" in complaints


# Any endpoint


async def test_any_endpoint_can_be_read(cloud: Simulator) -> None:
    path = f"/m2m/v1/accounts/{ACCOUNT}"
    status, printed, complaints = await run("request", "get", path, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert json.loads(printed)["accountName"] == ACCOUNT
    _, printed, _ = await run("request", "GET", path, "--include", **cloud.exports())
    head, _, body = printed.partition("\n\n")
    assert head.startswith("HTTP 200\n")
    assert json.loads(body)["accountName"] == ACCOUNT


async def test_a_request_that_may_change_something_asks_and_takes_its_body_from_anywhere(
    cloud: Simulator, tmp_path: Path
) -> None:
    path, body = "/m2m/v1/devices/actions/list", '{"maxNumberOfDevices": 2}'
    (tmp_path / "body.json").write_text(body)
    words = ("request", "POST", path, "--data")
    status, _, complaints = await run(*words, body, **cloud.exports())
    assert (status, "Pass --yes to confirm without a terminal" in complaints) == (1, True)
    assert not cloud.count("devices.list")
    for given in (body, f"@{tmp_path / 'body.json'}"):
        status, printed, complaints = await run(*words, given, "--yes", **cloud.exports())
        assert (status, complaints) == (0, "")
        assert len(json.loads(printed)["devices"]) == 2


async def test_a_dry_run_shows_the_request_without_tokens_and_sends_nothing(cloud: Simulator) -> None:
    words = ("request", "POST", "/m2m/v1/x", "--data", '{"a": 1}', "--header", "VendorID: 42", "--dry-run")
    status, printed, complaints = await run(*words, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert printed == (
        f'POST {cloud.url}/api/m2m/v1/x\nAuthorization: ***\nVZ-M2M-Token: ***\nVendorID: 42\n\n{{"a": 1}}\n'
    )
    assert not cloud.requests


async def test_a_refusal_prints_the_platforms_answer_and_fails(cloud: Simulator) -> None:
    status, printed, complaints = await run("request", "GET", "/m2m/v1/accounts/nothing", **cloud.exports())
    assert (status, complaints.count("\n")) == (1, 1)
    assert "errorCode" in json.loads(printed)
    _, printed, _ = await run("request", "GET", "/m2m/v1/accounts/nothing", "--include", **cloud.exports())
    assert printed.startswith("HTTP 400\n\n{")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("FETCH", "/m2m/v1/x"), "FETCH is not a method: choose from"),
        (("GET", "/m2m/v1/x", "--server", "moon"), "--server moon does not exist: choose from"),
        (("GET", "/m2m/v1/x", "--header", "novalue"), "--header novalue is not a header"),
        (("GET", "/m2m/v1/x", "--header", "Authorization: mine"), "the session sets the header Authorization"),
        (("GET", "/m2m/v1/x", "--data", "{"), "--data is not JSON"),
        (("GET", "/m2m/v1/x", "--data", "@/nowhere/body.json"), "--data @/nowhere/body.json cannot be read"),
        (("GET", "https://elsewhere.example/x"), "path"),
        (("POST", "//elsewhere.example/x"), "path"),
    ],
)
async def test_a_request_that_cannot_be_sent_is_one_line_also_in_a_dry_run(
    cloud: Simulator, words: tuple[str, ...], complaint: str
) -> None:
    for more in ((), ("--dry-run",)):
        status, printed, complaints = await run("request", *words, *more, **cloud.exports())
        assert (status, printed) == (2, "")
        assert complaint in complaints
        assert complaints.count("\n") == 1
    assert not cloud.requests


async def test_a_refused_login_is_no_answer_of_the_endpoint(cloud: Simulator) -> None:
    variables = {**cloud.exports(), "THINGSPACE_PASSWORD": "hush-wrong"}
    status, printed, complaints = await run("request", "GET", f"/m2m/v1/accounts/{ACCOUNT}", **variables)
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert "hush-wrong" not in complaints
