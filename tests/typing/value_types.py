"""Type-checked, never run: attributes of errors, UNSET, open enumerations and declared operations."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from types import NoneType
from typing import Literal, assert_type

import attrs

from thingspace_async import UNSET, OpenEnum, Secret, ThingSpaceError, Unset, errors
from thingspace_async._core.codec import dump, load
from thingspace_async._core.operation import Operation, fill_path
from thingspace_async.accounts import Account, RequestStatus
from thingspace_async.devices import AccountDeviceListRequest, AccountDeviceListResult


@attrs.frozen(kw_only=True)
class Update:
    name: str
    text: str | Unset | None = UNSET
    count: int | Unset = UNSET


def narrowing(update: Update) -> None:
    assert_type(update.text, str | Unset | None)
    if update.text is UNSET:
        assert_type(update.text, Literal[Unset.UNSET])
    elif update.text is None:
        assert_type(update.text, None)
    else:
        assert_type(update.text, str)
    if update.count is not UNSET:
        assert_type(update.count + 1, int)
    if not isinstance(update.count, Unset):
        assert_type(update.count, int)


def wrong_narrowing(update: Update) -> None:
    update.text.upper()  # type: ignore[union-attr]
    Update(name="x", count=None)  # type: ignore[arg-type]
    Update(name="x", text=5)  # type: ignore[arg-type]
    Update()  # type: ignore[call-arg]


def telling(error: ThingSpaceError) -> None:
    match error:
        case errors.RateLimited():
            assert_type(error.retry_after, float | None)
        case errors.LoginRefused():
            assert_type(error.status, int)
        case errors.ApiError():
            assert_type(error.code, str | None)
            assert_type(error.short_code, str | None)
            assert_type(error.request_id, str | None)
            assert_type(error.message, str)
            assert_type(error.operation, str)
        case errors.AnswerUnreadable():
            assert_type(error.path, str | None)
            assert_type(error.status, int | None)
            assert_type(error.body, bytes | None)
        case errors.RequestNotSent() | errors.AnswerLost():
            assert_type(error.tries, int)
        case _:
            str(error.status)  # type: ignore[attr-defined]


def catching() -> None:
    try:
        pass
    except errors.Unauthorized as refused:
        assert_type(refused.status, int)
    except errors.AnswerTimedOut as late:
        str(late.status)  # type: ignore[attr-defined]
    except ValueError:
        pass


def wrong_errors() -> None:
    errors.ApiError("m")  # type: ignore[call-arg]
    errors.RequestNotSent("m", "devices.list")  # type: ignore[call-arg]
    errors.ApiError("m", operation="x", status="400")  # type: ignore[arg-type]


class Colour(OpenEnum):
    RED = "red"


def enumerations() -> None:
    assert_type(Colour("mauve"), Colour)
    text: str = Colour("red")
    assert_type(RequestStatus("Success"), RequestStatus)
    text = Colour.RED.value
    del text


def secrets(secret: Secret) -> None:
    assert_type(secret.reveal(), str)
    text: str = secret  # type: ignore[assignment]
    del text


GET = Operation("accounts.get", "GET", "/m2m/v1/accounts/{account_name}", NoneType, Account)
LIST = Operation("devices.list", "POST", "/list", AccountDeviceListRequest, AccountDeviceListResult, repeatable=True)


def declaring() -> None:
    assert_type(GET, Operation[None, Account])
    assert_type(LIST, Operation[AccountDeviceListRequest, AccountDeviceListResult])
    assert_type(GET.answer, type[Account])
    assert_type(fill_path(GET, {"account_name": "x"}), str)
    fill_path(GET, {"account_name": 5})  # type: ignore[dict-item]
    Operation("x.y", "FETCH", "/x", NoneType, NoneType)  # type: ignore[arg-type]
    Operation("x.y", "GET", "/x", NoneType, NoneType, server="moon")  # type: ignore[arg-type]


def converting() -> None:
    assert_type(load(b"{}", Account), Account)
    assert_type(load(b"[]", tuple[Account, ...]), tuple[Account, ...])
    assert_type(dump(Update(name="x")), bytes)
    load("{}", Account)  # type: ignore[arg-type]
