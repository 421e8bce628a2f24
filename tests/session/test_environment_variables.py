"""Sessions that read credentials and environment from the environment variables."""

from __future__ import annotations

import logging
import re

import pytest

from tests.session.checks import raises
from tests.session.fake import NAME, Platform
from thingspace_async import Credentials, Environment, Session
from thingspace_async.errors import ConfigurationError
from thingspace_async.simulator import Simulator

VARIABLE = "THINGSPACE_ENVIRONMENT"
NAMES = ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD", "ENVIRONMENT")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"THINGSPACE_{name}", raising=False)


def used(session: Session) -> Environment:
    """Return the environment that a session uses."""
    return session._engine.environment


async def test_the_simulators_exports_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(devices=1) as cloud:
        variables = cloud.exports()
        assert set(variables) == {f"THINGSPACE_{name}" for name in NAMES}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        async with Session() as session:
            account = await session.accounts.get(cloud.account_name)
        assert account.account_name == cloud.account_name


@pytest.mark.parametrize("missing", NAMES[:4])
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in NAMES[:4]:
        monkeypatch.setenv(f"THINGSPACE_{name}", "hush")
    monkeypatch.delenv(f"THINGSPACE_{missing}")
    with raises(ConfigurationError) as caught:
        Session()
    assert re.findall(r"THINGSPACE_\w+", str(caught)) == [f"THINGSPACE_{missing}"]


async def test_given_credentials_follow_the_variable_to_the_platform(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, platform.url)
    async with Session(platform.credentials()) as session:
        assert await session.accounts.get(NAME)


async def test_a_provider_follows_the_variable_too(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> Credentials:
        return platform.credentials()

    monkeypatch.setenv(VARIABLE, platform.url)
    async with Session(ask) as session:
        assert await session.accounts.get(NAME)


def test_an_environment_argument_overrides_the_variable(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "staging")
    assert used(Session(platform.credentials(), environment=Environment.mock)) == Environment.mock


@pytest.mark.parametrize("name", ["production", "staging", "mock"])
def test_the_variable_may_name_an_environment(platform: Platform, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(VARIABLE, name)
    assert Environment.from_environment() == getattr(Environment, name)
    assert used(Session(platform.credentials())) == getattr(Environment, name)


@pytest.mark.parametrize("value", [None, ""])
def test_production_is_the_default_without_the_variable(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert Environment.from_environment() == Environment.production
    assert used(Session(platform.credentials())) == Environment.production


@pytest.mark.parametrize("value", ["prod", "Production ", "ftp://host", "http://simulator:9001", "https://h/api"])
def test_an_invalid_environment_never_means_production(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with raises(ConfigurationError):
        Environment.from_environment()
    with raises(ConfigurationError):
        Session(platform.credentials())


def test_plain_http_to_another_host_must_be_enabled(caplog: pytest.LogCaptureFixture) -> None:
    with raises(ConfigurationError) as caught:
        Environment.at("http://simulator:9001")
    assert "insecure=True" in str(caught)
    with caplog.at_level(logging.WARNING, "thingspace_async"):
        environment = Environment.at("http://simulator:9001", insecure=True)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "simulator:9001" in record.getMessage()
    assert environment.host == "simulator:9001"
    assert not environment.is_loopback


@pytest.mark.parametrize("url", ["https://gateway.example", "http://127.0.0.1:9001"])
def test_an_https_url_causes_no_warning(caplog: pytest.LogCaptureFixture, url: str) -> None:
    assert Environment.at(url, insecure=True) == Environment.at(url)
    assert caplog.records == []
