"""Features of every model: plain JSON, a short repr, and fields that the codec can read and write."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import pytest

import thingspace_async
from thingspace_async import DeviceId, DeviceIds, ExtendedAttribute, Secret
from thingspace_async._core import models
from thingspace_async._core.codec import Model, dump, load, named_on_wire
from thingspace_async._core.types import UNSET, Accepted, OpenEnum, Unset
from thingspace_async.callbacks import messages
from thingspace_async.callbacks.messages import Message, UsageResult, parse
from thingspace_async.session_management.models import LogInRequest
from thingspace_async.sms import SmsSendRequest

IMEI = DeviceId.imei("490154203237518")


class Color(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Lamp(Model):
    name: str
    color: Color | None = None
    lit: bool = False
    until: datetime | None = None
    tags: tuple[str, ...] = ()
    note: str | None | Unset = UNSET
    key: Secret | None = None
    hidden: str | None = attrs.field(default=None, repr=False)


def _message_classes() -> Iterator[type]:
    for found in pkgutil.iter_modules(messages.__path__, "thingspace_async.callbacks.messages."):
        for value in vars(importlib.import_module(found.name)).values():
            if isinstance(value, type) and attrs.has(value) and value.__module__ == found.name:
                yield value


@pytest.mark.parametrize("cls", list(_message_classes()), ids=lambda cls: cls.__name__)
def test_every_callback_message_is_a_model(cls: type) -> None:
    assert issubclass(cls, Model)
    assert cls.__repr__ is Model.__repr__


def test_models_shared_by_rooms_are_models_too() -> None:
    assert issubclass(models.PlaceOfUse, Model)
    assert issubclass(thingspace_async.CustomField, Model)


def test_a_repr_omits_empty_fields() -> None:
    assert repr(Lamp(name="n")) == "Lamp(name='n', lit=False)"
    assert repr(DeviceIds(device_ids=(IMEI,))) == (
        "DeviceIds(device_ids=(DeviceId(id='490154203237518', kind='imei'),))"
    )
    assert repr(ExtendedAttribute(key="k")) == "ExtendedAttribute(key='k')"


def test_a_repr_shows_values_and_hides_secrets() -> None:
    lamp = Lamp(name="n", color=Color.RED, tags=("a",), note=None, key=Secret("hush"), hidden="hush")
    assert repr(lamp) == "Lamp(name='n', color=<Color.RED: 'red'>, lit=False, tags=('a',), key=Secret('**********'))"


def test_a_read_model_has_the_same_repr() -> None:
    assert repr(load(b'{"name": "n"}', Lamp)) == repr(Lamp(name="n"))


def test_to_dict_of_a_request_uses_the_platforms_names() -> None:
    request = SmsSendRequest(account_name="a", sms_message="hello", device_ids=[IMEI])
    assert request.to_dict() == {
        "accountName": "a",
        "smsMessage": "hello",
        "deviceIds": [{"id": "490154203237518", "kind": "imei"}],
    }
    assert load(request.to_json().encode(), SmsSendRequest) == request


def test_to_json_and_repr_hide_the_secret_that_the_sent_body_holds() -> None:
    request = LogInRequest(username="user", password=Secret("hush"))
    assert "hush" not in request.to_json() + repr(request)
    assert b"hush" in dump(request)


def test_to_dict_of_a_callback_message_has_its_unknown_members_too() -> None:
    usage = {"deviceIds": [{"id": "1", "kind": "serial"}], "bytesUsed": 5, "mystery": {"a": 1}}
    message = parse(b'{"requestId":"r","usageResponse":[' + dump(usage) + b"]}")
    assert isinstance(message, UsageResult)
    assert message.to_dict() == {"requestId": "r", "usageResponse": [usage]}
    assert repr(Message(request_id="r")) == "Message(request_id='r')"


def test_a_message_with_an_unreadable_date_is_read() -> None:
    @attrs.frozen(kw_only=True)
    class Dated(Message):
        moment: datetime | None = None

    found = load(b'{"moment": "soon"}', Dated)
    assert (found.moment, dict(found.unreadable)) == (None, {"moment": "soon"})


def test_accepted_knows_the_devices_of_its_request() -> None:
    request = SmsSendRequest(account_name="a", sms_message="hello", device_ids=[IMEI])
    answer = Accepted(request_id="r")
    assert answer._answering(request).devices == (DeviceIds(device_ids=(IMEI,)),)
    assert ExtendedAttribute(key="k")._answering(request) == ExtendedAttribute(key="k")


@pytest.mark.parametrize(
    "kind", [complex, "complex", set[str], "list[str]", Decimal, "dict[int, str]", Literal["a"], "DeviceId | str"]
)
def test_a_field_type_without_a_json_form_is_refused_when_the_class_is_defined(kind: Any) -> None:
    fields = {"fine": attrs.field(type=str), "when": attrs.field(type=kind)}
    with pytest.raises(TypeError, match=r"^Odd: the field when has the type .*, which the codec cannot read or write"):
        attrs.make_class("Odd", fields, bases=(Model,))


def test_a_field_type_with_a_json_form_is_accepted() -> None:
    @attrs.frozen(kw_only=True)
    class Fine(Model):
        word: Annotated[str, "short"]
        number: int | str | None = attrs.field(default=None, metadata=named_on_wire("n"))
        share: float | None = None
        moment: datetime | date | None = attrs.field(default=None, metadata={"local": True})
        day: date | None = None
        names: dict[str, tuple[DeviceId, ...]] = attrs.field(factory=dict)
        color: Color | Unset = UNSET
        later: DefinedLater | None = None
        anything: Any = None

    assert Fine(word="a").word == "a"


@attrs.frozen(kw_only=True)
class DefinedLater(Model):
    local: complex | None = attrs.field(default=None, metadata={"local": True})
