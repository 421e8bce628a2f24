"""Types shared by rooms: secrets, identifiers, enumerations and UNSET."""

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._core.types import (
    UNSET,
    CustomField,
    DeviceId,
    DeviceIds,
    ExtendedAttribute,
    OpenEnum,
    Secret,
    SomeDevices,
    Unset,
    devices_named_in,
    to_device_id,
    to_device_ids,
    to_devices,
)
from thingspace_async.devices import (
    AccountLabels,
    AssociateLabelRequest,
    ChangeDeviceIdRequest,
    Device,
    DeviceLabel,
    SuspendRequest,
)
from thingspace_async.errors import InvalidRequest
from thingspace_async.esim import GlobalFallbackRequest
from thingspace_async.sms import SmsEventHistoryRequest, SmsSendRequest

HIDDEN = "hunter2-is-hidden"


class Colour(OpenEnum):
    RED = "Red"
    LIGHT_BLUE = "lightBlue"
    LARGE_SS = "STRASSE"


@attrs.frozen(kw_only=True)
class Holder:
    name: str
    secret: Secret


def _raise_beside(secret: Secret) -> None:
    raise ValueError(f"refused {secret}")


def _logged() -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    shown = (Secret(HIDDEN), Secret(HIDDEN), [Secret(HIDDEN)])
    handler.emit(logging.LogRecord("unit", logging.WARNING, __file__, 1, "%s %r %s", shown, None))
    return stream.getvalue()


def _traced() -> str:
    try:
        _raise_beside(Secret(HIDDEN))
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


@pytest.mark.parametrize(
    "show",
    [
        lambda: str(Secret(HIDDEN)),
        lambda: repr(Secret(HIDDEN)),
        lambda: f"{Secret(HIDDEN)} {Secret(HIDDEN)!r} {Secret(HIDDEN)!a}",
        lambda: format(Secret(HIDDEN)),
        lambda: "{} {!r}".format(Secret(HIDDEN), Secret(HIDDEN)),  # noqa: UP032  (the method is under test)
        lambda: "%s %r" % (Secret(HIDDEN), Secret(HIDDEN)),  # noqa: UP031  (the operator is under test)
        lambda: repr([Secret(HIDDEN), {"key": Secret(HIDDEN)}]),
        lambda: repr(Holder(name="n", secret=Secret(HIDDEN))),
        lambda: repr(attrs.asdict(Holder(name="n", secret=Secret(HIDDEN)))),
        lambda: repr(Secret(Secret(HIDDEN))),
        _logged,
        _traced,
    ],
    ids=[
        "str",
        "repr",
        "f-string",
        "format()",
        "str.format",
        "percent",
        "containers",
        "model",
        "asdict",
        "nested",
        "log",
        "traceback with locals",
    ],
)
def test_no_str_or_repr_shows_a_secret(show: Callable[[], str]) -> None:
    text = show()
    assert "**********" in text
    assert HIDDEN not in text


def test_only_reveal_returns_a_secret() -> None:
    assert Secret(HIDDEN).reveal() == HIDDEN
    assert Secret(Secret(HIDDEN)).reveal() == HIDDEN
    assert not hasattr(Secret(HIDDEN), "__dict__")


@pytest.mark.parametrize("write", [json.dumps, orjson.dumps])
def test_a_secret_cannot_be_written_to_json_by_accident(write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refused:
        write(Secret(HIDDEN))
    assert HIDDEN not in str(refused.value)


def test_a_format_specification_for_a_secret_fails_without_showing_it() -> None:
    with pytest.raises(TypeError) as refused:
        f"{Secret(HIDDEN):>40}"
    assert HIDDEN not in str(refused.value)


def test_secrets_compare_by_value_and_only_with_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é") == Secret("é")
    assert Secret("a") != "a"
    assert Secret("a").__eq__("a") is NotImplemented
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_can_be_copied() -> None:
    secret = Secret(HIDDEN)
    for twin in (copy.copy(secret), copy.deepcopy(secret), copy.deepcopy([secret])[0]):
        assert twin == secret
        assert twin.reveal() == HIDDEN


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_never_pickled_and_the_error_does_not_show_it(protocol: int) -> None:
    with pytest.raises(TypeError, match="a Secret cannot be pickled") as refused:
        pickle.dumps({"password": Secret(HIDDEN)}, protocol)
    assert HIDDEN not in str(refused.value)


@pytest.mark.parametrize("spelling", ["Red", "red", "RED", "rEd"])
def test_a_known_value_is_found_in_any_case(spelling: str) -> None:
    assert Colour(spelling) is Colour.RED


@given(st.sampled_from(Colour), st.sampled_from([str.upper, str.lower, str.swapcase, str.casefold]))
def test_every_member_is_found_in_every_case(member: Colour, change: Callable[[str], str]) -> None:
    assert Colour(change(member.value)) is member


@pytest.mark.parametrize("value", ["mauve", "", "Red ", "rouge é", "with space", "_name_", "RED.BLUE"])
def test_an_unknown_value_is_kept_unchanged(value: str) -> None:
    kept = Colour(value)
    assert type(kept) is Colour
    assert (kept.value, kept.name, str(kept), f"{kept}") == (value,) * 4
    assert kept == value
    assert kept == Colour(value)
    assert hash(kept) == hash(value)
    assert kept not in list(Colour)
    assert kept is not Colour.RED


@given(st.text())
def test_known_and_unknown_values_survive_pickling_and_copying(text: str) -> None:
    value = Colour(text)
    assert copy.copy(value) == copy.deepcopy(value) == value
    twin = pickle.loads(pickle.dumps(value))
    assert (type(twin), twin) == (Colour, value)
    assert json.loads(json.dumps(value)) == value
    assert value.casefold() == text.casefold()


def test_unknown_values_are_not_added_to_the_class() -> None:
    before = list(Colour)
    for number in range(100):
        Colour(f"unknown {number}")
    assert list(Colour) == before
    assert set(Colour.__members__) == {"RED", "LIGHT_BLUE", "LARGE_SS"}


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, b"Red"])
def test_an_enumeration_accepts_only_strings(value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Colour"):
        Colour(value)  # type: ignore[arg-type]


def test_unset_is_a_falsy_singleton_with_a_plain_repr() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert UNSET is Unset.UNSET
    assert copy.copy(UNSET) is copy.deepcopy(UNSET) is pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert UNSET is not None
    assert list(Unset) == [UNSET]


@pytest.mark.parametrize(("one", "other"), [("serial", "SERIAL"), ("iccid", "iccId"), ("ICCID", "iccId")])
def test_device_ids_are_equal_in_any_case_of_their_kind(one: str, other: str) -> None:
    first, second = DeviceId(id="89148000000800139708", kind=one), DeviceId(id="89148000000800139708", kind=other)
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1
    assert second.kind == other


@pytest.mark.parametrize(
    "other",
    [DeviceId(id="49015420323751", kind="serial"), DeviceId.imei("49015420323752"), ("49015420323751", "imei")],
)
def test_a_device_id_differs_from_another_id_or_kind(other: object) -> None:
    assert DeviceId.imei("49015420323751") != other


def test_the_case_of_the_id_itself_matters() -> None:
    assert DeviceId.meid("A100003685E561") != DeviceId.meid("a100003685e561")


@pytest.mark.parametrize(
    ("kind", "size"),
    [("imei", 14), ("iccid", 20), ("mdn", 10), ("msisdn", 11), ("meid", 14), ("esn", 11), ("imsi", 15), ("eid", 32)],
)
def test_each_kind_of_identifier_has_a_constructor(kind: str, size: int) -> None:
    assert getattr(DeviceId, kind)("1" * size) == DeviceId(id="1" * size, kind=kind)


@pytest.mark.parametrize(
    "value",
    [DeviceId.imei("49015420323751"), CustomField(key="CustomField1", value="x"), ExtendedAttribute(key="DeviceId")],
)
def test_shared_models_are_frozen_and_can_be_pickled_and_copied(value: attrs.AttrsInstance) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, "other")
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value


def test_secrets_of_any_characters_compare() -> None:
    assert Secret("\ud800") != Secret("x")
    assert Secret("\ud800") == Secret("\ud800")


IMEI, ICCID = DeviceId.imei("49015420323751"), DeviceId(id="89141390780800784259", kind="iccId")
DEVICE = DeviceIds(device_ids=(DeviceId.mdn("5125550123"), IMEI, ICCID))


def test_the_preferred_identifier_of_a_device_is_a_permanent_one() -> None:
    assert to_device_id(DEVICE) == ICCID
    assert to_device_id(DeviceIds(device_ids=(DeviceId.mdn("5125550123"),))) == DeviceId.mdn("5125550123")
    assert to_device_ids([DEVICE, IMEI]) == (ICCID, IMEI)
    assert to_devices([Device(device_ids=DEVICE.device_ids)]) == (DEVICE,)
    with pytest.raises(InvalidRequest, match="device_id must be a DeviceId"):
        SmsEventHistoryRequest(device_id=Device())


LABELS = AccountLabels(devices=[DEVICE], label=[DeviceLabel(name="VIN", value="1")])


@pytest.mark.parametrize(
    ("request_", "devices"),
    [
        (SmsSendRequest(account_name="a", sms_message="b", device_ids=[IMEI, ICCID]), [IMEI, ICCID]),
        (SmsSendRequest(account_name="a", sms_message="b", group_name="c"), []),
        (SuspendRequest(devices=[DEVICE]), [DEVICE]),
        (SuspendRequest(account_name="a"), []),
        (ChangeDeviceIdRequest(device_ids=[IMEI, ICCID]), [[IMEI, ICCID]]),
        (SmsEventHistoryRequest(device_id=IMEI), [IMEI]),
        (AssociateLabelRequest(account_name="a", labels=LABELS), [DEVICE]),
        (GlobalFallbackRequest(account_name="a", devices=[[IMEI, ICCID]]), [[IMEI, ICCID]]),
        (None, []),
    ],
)
def test_the_devices_that_a_request_names_are_known(request_: object, devices: SomeDevices) -> None:
    assert devices_named_in(request_) == to_devices(devices)
