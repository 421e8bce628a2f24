"""Type-checked, never run: the return types of calls, and wrong uses that type checkers must catch."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import assert_type

from thingspace_async import Accepted, Credentials, CustomField, DeviceId, Environment, Response, Secret, Session
from thingspace_async.accounts import Account, AccountLead, Accounts, AsynchronousRequestResult, ServicePlan
from thingspace_async.callbacks import Message, Outcomes, Received
from thingspace_async.callbacks.messages import NetworkConditions
from thingspace_async.devices import AccountDeviceListRequest, AccountDeviceListResult, Device, Devices, FleetOutcome
from thingspace_async.session_management import LogInResult, LogOutResult


async def opening(credentials: Credentials) -> None:
    async with Session(credentials) as session:
        assert_type(session, Session)
    opened = await Session(credentials, environment=Environment.staging, timeout=5, retries=0).open()
    assert_type(opened, Session)
    assert_type(await opened.close(), None)
    assert_type(opened.credentials, Credentials)


def wrong_opening(credentials: Credentials) -> None:
    Session("user", "password")  # type: ignore[arg-type, call-arg]
    Session(credentials, Environment.mock)  # type: ignore[call-arg]
    Session(credentials, environment="production")  # type: ignore[arg-type]
    Session(credentials, retry=3)  # type: ignore[call-arg]


async def session_management(session: Session) -> None:
    assert_type(await session.log_in(), LogInResult)
    assert_type((await session.log_in(password="x", force=True)).session_token, Secret)
    assert_type(await session.log_out(), LogOutResult)
    assert_type((await session.log_out()).session_token, Secret | None)
    assert_type(await session.reset_password(), Secret)
    assert_type(await session.revoke_oauth_token(), None)


async def wrong_session_management(session: Session) -> None:
    await session.log_in(password=5)  # type: ignore[arg-type]
    text: str = await session.reset_password()  # type: ignore[assignment]
    del text


async def accounts(session: Session) -> None:
    assert_type(session.accounts, Accounts)
    account = await session.accounts.get("0000123456-00001")
    assert_type(account, Account)
    assert_type(account.account_name, str | None)
    assert_type(account.carriers, tuple[str, ...])
    assert_type(account.service_plans, tuple[ServicePlan, ...])
    assert_type(session.accounts.all(), AsyncGenerator[Account])
    assert_type(session.accounts.leads("0000123456-00001"), AsyncGenerator[AccountLead])
    assert_type(await session.accounts.service_plans("0000123456-00001"), tuple[ServicePlan, ...])
    assert_type(await session.accounts.request_status("0000123456-00001", "id"), AsynchronousRequestResult)


async def wrong_accounts(session: Session) -> None:
    await session.accounts.get()  # type: ignore[call-arg]
    await session.accounts.get(123456)  # type: ignore[arg-type]
    await session.accounts.get(None)  # type: ignore[arg-type]
    account = await session.accounts.get("0000123456-00001")
    str(account.accountName)  # type: ignore[attr-defined]
    account.carriers = ()  # type: ignore[misc]


async def devices(session: Session) -> None:
    assert_type(session.devices, Devices)
    assert_type(session.devices.list(account_name="0000123456-00001"), AsyncGenerator[Device])
    async for device in session.devices.list():
        assert_type(device, Device)
        assert_type(device.identifier("imei"), str | None)
        assert_type(device.state, str | None)
        assert_type(device.custom_fields, tuple[CustomField, ...])
    page = await session.devices.list_page(AccountDeviceListRequest(max_number_of_devices=500))
    assert_type(page, AccountDeviceListResult)
    assert_type(page.devices, tuple[Device, ...])
    assert_type(await session.devices.get(DeviceId.imei("990013907835573")), Device)


async def wrong_devices(session: Session) -> None:
    await session.devices.get("990013907835573")  # type: ignore[arg-type]
    await session.devices.list_page(Device())  # type: ignore[arg-type]
    session.devices.list(accountName="0000123456-00001")  # type: ignore[call-arg]
    async with session.devices.list():  # type: ignore[attr-defined]
        pass
    for _ in session.devices.list():  # type: ignore[attr-defined]
        pass
    DeviceId("990013907835573", "imei")  # type: ignore[call-arg]
    AccountDeviceListRequest(custom_fields=[CustomField(key="CustomField1", value="x")])
    AccountDeviceListRequest(custom_fields=["x"])  # type: ignore[list-item]


async def options(session: Session) -> None:
    quick = session.with_options(timeout=5, retries=0)
    assert_type(await quick.devices.get(DeviceId.mdn("5551234567")), Device)
    assert_type(quick.devices, Devices)


def wrong_options(session: Session) -> None:
    session.with_options(5)  # type: ignore[call-arg]
    session.with_options(timeout="5")  # type: ignore[arg-type]
    session.with_options(retry=1)  # type: ignore[call-arg]


async def other_calls(session: Session) -> None:
    answer = await session.request("GET", "/m2m/v1/accounts/0000123456-00001", repeatable=True)
    assert_type(answer, Response)
    assert_type(answer.status, int)
    assert_type(answer.body, bytes)
    assert_type(answer.headers, Mapping[str, str])


async def wrong_other_calls(session: Session) -> None:
    await session.request("get", "/m2m/v1/accounts")  # type: ignore[arg-type]
    await session.request("GET")  # type: ignore[call-arg]
    answer = await session.request("GET", "/m2m/v1/accounts")
    answer.status = 200  # type: ignore[misc]


def credentials() -> None:
    known = Credentials(client_id="key", client_secret="secret", username="user", password=Secret("password"))
    assert_type(known.password, Secret)
    assert_type(known.client_secret.reveal(), str)
    assert_type(Credentials.from_environment(), Credentials)
    assert_type(Environment.at("https://cloud.example"), Environment)


def wrong_credentials() -> None:
    Credentials("key", "secret", "user", "password")  # type: ignore[call-arg]
    Credentials(client_id="key", client_secret="secret", username="user")  # type: ignore[call-arg]
    Credentials(client_id="key", client_secret=None, username="user", password="p")  # type: ignore[arg-type]
    Environment.production.bases["m2m"] = "https://elsewhere.example"  # type: ignore[index]


async def fleets(session: Session, outcomes: Outcomes) -> None:
    fields = [CustomField(key="CustomField1", value="x")]
    run = session.devices.activate_all(
        [DeviceId.imei("990013907835573")],
        outcomes,
        run="spring",
        service_plan="x",
        mdn_zip_code="x",
        custom_fields=fields,
    )
    assert_type(run, AsyncGenerator[FleetOutcome])
    async for one in run:
        if one.outcome is not None:
            assert_type(one.outcome.message, Message)
    session.devices.restore_all([], outcomes)  # type: ignore[call-arg]
    session.devices.restore_all([], outcomes, run="spring", service_plan="x")  # type: ignore[call-arg]


async def answers(outcomes: Outcomes, accepted: Accepted) -> None:
    assert_type(await outcomes.answer(accepted), Message)
    assert_type(await outcomes.answer(accepted, NetworkConditions), NetworkConditions)
    assert_type(outcomes.stream(accepted, after=7), AsyncGenerator[Received])


async def wrong_answers(outcomes: Outcomes, accepted: Accepted) -> None:
    await outcomes.answer(accepted, Accepted)  # type: ignore[type-var]
    await outcomes.answer(accepted.request_id)  # type: ignore[call-overload]
