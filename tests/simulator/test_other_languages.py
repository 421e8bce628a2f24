"""The simulator for other languages: a shell with curl, and the page with the instructions."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

import thingspace_async.simulator
from tests.simulator.listener import Listener
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.admin.endpoint import ROOT
from thingspace_async.simulator.admin.endpoints import ENDPOINTS

PAGE = (Path(thingspace_async.simulator.__file__).parent / "README.md").read_text()

SCRIPT = r"""
base=$THINGSPACE_ENVIRONMENT
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
admin() { curl -sS --fail-with-body -X "$1" "$base/__admin$2" ${3:+-d "$3"}; }
log_in() {
    curl -sS -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$base/api/m2m/v1/session/login" \
        -d "{\"username\": \"$THINGSPACE_USERNAME\", \"password\": \"$1\"}"
}
m2m() {
    curl -sS -H "Authorization: Bearer $token" -H "VZ-M2M-Token: $session" -H 'Content-Type: application/json' \
        "$base/api/m2m/v1/$1" ${2:+-d "$2"}
}

token=$(curl -sS -u "$THINGSPACE_CLIENT_ID:$THINGSPACE_CLIENT_SECRET" -d grant_type=client_credentials \
    "$base/api/ts/v1/oauth2/token" | json '["access_token"]')
session=$(log_in "$THINGSPACE_PASSWORD" | json '["sessionToken"]')

echo == five wrong passwords lock the user, and the admin API unlocks it
for _ in 1 2 3 4 5; do log_in wrong >/dev/null; done
admin GET /users | json '[0]["locked"]'
log_in "$THINGSPACE_PASSWORD" | json '["errorCode"]'
admin PATCH "/users/$THINGSPACE_USERNAME" '{"locked": false}' | json '["locked"]'
log_in "$THINGSPACE_PASSWORD" | json '.keys()'

echo == a suspended device is told to its listener
imei=$(admin GET '/devices?state=active&limit=1' | json '["devices"][0]["imei"]')
m2m callbacks/0000123456-00001 "{\"name\": \"CarrierService\", \"url\": \"$LISTENER\"}" | json '["serviceName"]'
device="{\"deviceIds\": [{\"kind\": \"imei\", \"id\": \"$imei\"}]}"
m2m devices/actions/suspend "{\"devices\": [$device]}" | json '.keys()'
admin POST /clock '{"advance": 61}' >/dev/null
admin POST /deliveries/wait >/dev/null
admin GET /deliveries | json '[0]["state"]'
admin GET "/devices/$imei" | json '["state"]'

echo == a fault
admin POST /faults '{"operation": "accounts.get", "kind": "throttled_out"}' | json '["operation"]'
m2m accounts/0000123456-00001 | json '["fault"]["code"]'
m2m accounts/0000123456-00001 | json '["accountName"]'

echo == the clock
admin POST /clock '{"advance": 1261}' >/dev/null
m2m accounts/0000123456-00001 | json '["errorCode"]'
"""

EXPECTED = """== five wrong passwords lock the user, and the admin API unlocks it
True
UnifiedWebService.INPUT_INVALID.Password.Invalid
False
dict_keys(['sessionToken'])
== a suspended device is told to its listener
CarrierService
dict_keys(['requestId'])
delivered
suspend
== a fault
accounts.get
900800
0000123456-00001
== the clock
UnifiedWebService.REQUEST_FAILED.SessionToken.Expired
"""


async def shell(script: str, cloud: Simulator, **variables: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env={**os.environ, **cloud.exports(), "PATH": path, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


@pytest.mark.processes
async def test_curl_alone_drives_it(listener: Listener) -> None:
    async with Simulator(devices=10) as cloud:
        assert await shell(SCRIPT, cloud, LISTENER=listener.url) == EXPECTED
    (message,) = listener.messages
    assert message["status"] == "Success"


@pytest.mark.processes
async def test_the_pages_shell_commands_get_both_tokens_and_a_device() -> None:
    (script,) = (code for code in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if "TOKEN=" in code)
    async with Simulator(devices=2) as cloud:
        assert str(cloud.devices[0].imei) in await shell(script, cloud)


@pytest.mark.processes
async def test_the_pages_program_runs_as_it_stands() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", program),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complaints.decode()) == (0, "")
    assert "devices.list 503 None" in printed.decode()


def test_the_page_documents_existing_names() -> None:
    for line in re.findall(r"^\| (`cloud\..*?)\|", PAGE, re.MULTILINE):
        for name in re.findall(r"(?:cloud\.|, `|await cloud\.)([a-z_]+)(?=\(|`|\.|\[| =)", line):
            assert hasattr(Simulator, name) or hasattr(Simulator(devices=0), name), name


def test_the_pages_endpoints_exist() -> None:
    known = {*(ROOT + one.path for one in ENDPOINTS), f"{ROOT}/openapi.json", f"{ROOT}/"}
    named = set(re.findall(r"(/__admin/[a-z./-]*)", PAGE))
    assert named
    assert [name for name in named if not any(one.startswith(name) for one in known)] == []
