"""The first use of each room: the import of its models, and a call that generates its codec."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks._measure import Row, duration
from benchmarks._server import ROOT

__all__ = ["run"]

_PROCESSES = 5

_SIMULATOR = """
import asyncio, json, sys
from thingspace_async.simulator import Simulator

async def main():
    async with Simulator(devices=20) as cloud:
        known = cloud.credentials
        secret, password = known.client_secret.reveal(), known.password.reveal()
        facts = cloud.url, known.client_id, secret, known.username, password, cloud.account_name
        print(json.dumps(facts), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""

_FIRST_USE = """
import asyncio, json, sys, time
from thingspace_async import Credentials, Environment, Session

async def main():
    url, client_id, secret, username, password, account = json.loads(sys.argv[1])
    known = Credentials(client_id=client_id, client_secret=secret, username=username, password=password)
    async with Session(known, environment=Environment.at(url)) as session:
        for _ in range(2):
            started = time.perf_counter()
            {call}
            print(time.perf_counter() - started)

asyncio.run(main())
"""

_CALLS = {
    "accounts": "await session.accounts.get(account)",
    "billing": "await session.billing.usage_triggers.list(account)",
    "callbacks": "await session.callbacks.list(account)",
    "cloud_connector": "await session.cloud_connector.targets.list(account)",
    "devices": "[device async for device in session.devices.list(account_name=account)]",
    "diagnostics": "await session.diagnostics.subscription(account)",
    "esim": (
        "from thingspace_async import DeviceId; from thingspace_async.esim import ProfileChangeStateRequest; "
        "await session.esim.disable(ProfileChangeStateRequest("
        "account_name=account, devices=[DeviceId.eid('8' * 32)], smsr_oid='1.3.6'))"
    ),
    "groups": "await session.groups.list(account)",
    "hyper_precise": "await session.hyper_precise.callbacks.list(account)",
    "intelligence": "await session.intelligence.anomaly.settings(account)",
    "location": "await session.location.subscription(account)",
    "nidd": (
        "from thingspace_async import DeviceId; from thingspace_async.nidd import NiddSendRequest; "
        "await session.nidd.send(NiddSendRequest(account_name=account, message=b'1', maximum_delivery_time=60, "
        "device_ids=[DeviceId.imei('350000000000001')]))"
    ),
    "private_network": "await session.private_network.kpis(account)",
    "qos": "await session.qos.stop(account_name=account, qos_subscription_id='1')",
    "reachability": (
        "from thingspace_async import DeviceId; from thingspace_async.reachability import RetrieveMonitorsRequest; "
        "await session.reachability.monitors(RetrieveMonitorsRequest("
        "account_name=account, devices=[DeviceId.imei('350000000000001')]))"
    ),
    "sensor_insights": "await session.sensor_insights.health.summary()",
    "sim_secure": (
        "from thingspace_async.sim_secure import SecuritySubscriptionRequest; "
        "await session.sim_secure.subscriptions(SecuritySubscriptionRequest(account_name=account))"
    ),
    "sms": "await session.sms.queued_page(account)",
    "v2x": "await session.v2x.roles('1')",
    "triggers": "await session.triggers.list_of_account(account)",
    "software": "await session.software.subscription(account)",
}


def run() -> list[Row]:
    """Measure each room in new processes, against a simulator in another process."""
    with _simulator() as facts:
        return [_first_use(room, call, facts) for room, call in _CALLS.items()]


def _first_use(room: str, call: str, facts: str) -> Row:
    command = [sys.executable, "-c", _FIRST_USE.format(call=call), facts]
    times = [
        tuple(map(float, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()))
        for _ in range(_PROCESSES)
    ]
    return Row(
        what=f"first use of {room}",
        ours=duration(median(first for first, _ in times)),
        floor=duration(median(again for _, again in times)),
        values=[1000 * (first - again) for first, again in times],
        unit="ms above",
    )


@contextmanager
def _simulator() -> Iterator[str]:
    """Run a simulator during the block. It ends when its input closes."""
    command = [sys.executable, "-c", _SIMULATOR]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline()
