"""Small proofs of fleet runs; `python -m tests.fleet.proof` carries out large ones."""

from __future__ import annotations

import pytest

from tests.fleet import trouble
from tests.fleet.proof import Plan, prove
from tests.postgres.servers import needs_postgres
from tests.redis.servers import needs_redis

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "store",
    ["sqlite", pytest.param("redis", marks=needs_redis), pytest.param("postgres", marks=needs_postgres)],
)
def test_killed_processes_send_nothing_twice_and_lose_nothing(store: str) -> None:
    result = prove(Plan(store=store, devices=200, kills=6, seed=7, pause=0.6, timeout=4))
    assert result.faults == []
    assert result.figures["accepted devices"] + result.figures["unknown"] == 200


def test_a_fleet_survives_ten_minutes_of_outage_a_minute_of_throttling_and_a_new_login(
    real_times: None,
) -> None:
    figures = trouble.carry_out(5_000)
    assert figures["succeeded"] == 5_000
    assert figures["trouble was over before the run"]
    assert figures["devices accepted twice"] == 0
    assert figures["requests answered with 429"] > 1
    assert figures["logins"] == 2
    assert figures["simulated seconds"] > 660
