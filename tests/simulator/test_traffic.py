"""Recorded traffic: without secrets, replayed, and compared with the simulator's answers."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.commands import run
from tests.simulator.api import Api
from thingspace_async import Session
from thingspace_async._core.environment import Environment
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.comparing import compare
from thingspace_async.simulator.traffic import read_traffic

NAME = "0000123456-00001"


@pytest.fixture
async def record(tmp_path: Path) -> Path:
    """Record a session with another simulator, which stands in for the platform and gives some different answers."""
    path = tmp_path / "traffic.jsonl"
    async with Simulator(devices=3, seed=5) as platform, Simulator.record(platform.url, path) as url:
        page = {"hasMoreData": False, "devices": [], "odd": 1}
        async with Session(platform.credentials, environment=Environment.at(url)) as session:
            async for _ in session.devices.list():
                pass
            await session.accounts.get(NAME)
            await session.groups.list(NAME)
            platform.faults.add("devices.list", Status(200, page))
            async for _ in session.devices.list(current_state="active"):
                pass
            platform.faults.add("accounts.service_plans", Status(403, {"errorCode": "X", "errorMessage": "no"}))
            with pytest.raises(Exception, match="no"):
                await session.accounts.service_plans(NAME)
        check_secrets(path, platform)
    return path


def check_secrets(path: Path, platform: Simulator) -> None:
    text = path.read_text()
    known = platform.credentials
    secrets = [known.password.reveal(), known.client_secret.reveal()]
    secrets += [str(one.json["sessionToken"]) for one in platform.requests if b"sessionToken" in one.body]
    assert not [one for one in secrets if one in text]
    assert '"sessionToken":"***"' in text
    assert '"access_token":"***"' in text


async def test_the_differences_are_named(record: Path) -> None:
    found = await compare(record)
    assert "POST /api/m2m/v1/devices/actions/list: odd is missing in the simulator's answer" in found
    (status,) = (line for line in found if "status" in line)
    assert status == f"GET /api/m2m/v1/plans/{NAME}: status 200 (None), the platform's is 403"
    assert len(found) == 2


async def test_recorded_requests_are_replayed_and_others_are_simulated(record: Path) -> None:
    cloud = Simulator.replay(record, devices=7, seed=9)
    async with cloud, Session(cloud.credentials, environment=cloud.environment) as session:
        assert len([device async for device in session.devices.list()]) == 3
        assert [device async for device in session.devices.list(current_state="active")] == []
        assert len([device async for device in session.devices.list(current_state="deactive", account_name=NAME)]) < 7
        with pytest.raises(Exception, match="no"):
            await session.accounts.service_plans(NAME)


@pytest.mark.processes
async def test_the_command_line_lists_the_differences(record: Path) -> None:
    status, printed, complaints = await run("simulator", "--compare", str(record))
    assert (status, complaints) == (0, "")
    assert printed.splitlines()[-1] == "2 differences"


@pytest.mark.processes
@pytest.mark.parametrize("line", [b"{oops", b"[]", b'{"method": "GET"}'])
async def test_a_file_that_is_not_a_recording_is_one_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, line)
    with pytest.raises(ValueError, match=r"traffic\.jsonl, line 1: "):
        read_traffic(path)
    status, _, complaints = await run("simulator", "--compare", str(path))
    assert status == 2
    assert complaints.startswith(f"thingspace: --compare {path}: ")


def write(path: Path, line: bytes) -> None:
    path.write_bytes(line)


async def test_kinds_and_extra_members_differ_too(api: Api, tmp_path: Path) -> None:
    account = (await api.account()).json
    theirs = {**account, "accountNumber": 7, "carriers": [1]}
    del theirs["features"]
    exchange: dict[str, object] = {
        "method": "GET",
        "path": f"/api/m2m/v1/accounts/{NAME}",
        "query": {},
        "body": None,
        "status": 200,
    }
    path = tmp_path / "traffic.jsonl"
    write(path, orjson.dumps({**exchange, "answer": theirs, "headers": {}}))
    where = f"GET /api/m2m/v1/accounts/{NAME}: "
    assert await compare(path) == [
        f"{where}features is not in the platform's answer",
        f"{where}accountNumber is str, and int in the platform's answer",
        f"{where}carriers[0] is str, and int in the platform's answer",
    ]


async def test_the_accounts_and_devices_of_a_record_are_known_to_the_comparison(tmp_path: Path) -> None:
    account, imei = "0000777777-00001", {"kind": "imei", "id": "353272090000001"}
    device = {"accountName": account, "deviceIds": [imei]}
    exchange: dict[str, object] = {"method": "POST", "path": "/api/m2m/v1/devices/actions/list", "query": {}}
    exchange |= {"body": {"accountName": account, "deviceId": imei}, "status": 200, "headers": {}}
    answer = {"hasMoreData": False, "devices": [device, device, {"deviceIds": ["odd"]}]}
    path = tmp_path / "traffic.jsonl"
    write(path, orjson.dumps({**exchange, "answer": answer}))
    assert all("is not in the platform's answer" in line for line in await compare(path))
