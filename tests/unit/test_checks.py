"""Checks of request models: the values that they refuse or accept, and their error messages."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from thingspace_async._core import checks, codec
from thingspace_async._core.types import (
    Accepted,
    CustomField,
    DeviceId,
    DeviceIds,
    Secret,
    SomeDevices,
    SuspiciousIdentifier,
    to_device_ids,
    to_devices,
)
from thingspace_async.errors import InvalidRequest

IMEI = DeviceId.imei("990013907835573")
ICCID = DeviceId.iccid("89141390780800784259")
MANY = tuple(DeviceId.imei(f"{number:014}") for number in range(10_000))


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        make()
    return str(caught.value)


def checked(validator: Any, value: object, default: Any = attrs.NOTHING) -> str | None:
    """Return the error for a value of a field, or None if the value is accepted."""

    @attrs.frozen(kw_only=True)
    class Order:
        field: Any = attrs.field(default=default, validator=validator)

    try:
        Order(field=value)
    except InvalidRequest as error:
        return str(error).removeprefix("Order: field ")
    return None


@attrs.frozen(kw_only=True)
class Suspension:
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=checks.devices())


def suspension(given: Any) -> str:
    return refusal(lambda: Suspension(devices=given))


# All checks


EVERY = {
    "text": checks.text,
    "flag": checks.flag,
    "zoned": checks.zoned,
    "device_id": checks.device_id,
    "custom_fields": checks.custom_fields,
    "whole": checks.whole(least=1),
    "text_of": checks.text_of(most=3),
    "texts": checks.texts(),
    "instance": checks.instance(CustomField),
    "instances": checks.instances(CustomField),
    "devices": checks.devices(),
    "device_ids": checks.device_ids(),
}

WRONG = [b"x", 1.5, {"id": "1"}, {1}, object(), float("nan"), [IMEI], ["x"], range(3), DeviceId, Exception("x")]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
def test_a_value_of_another_type_is_refused_and_its_type_is_named(name: str, value: object) -> None:
    said = checked(EVERY[name], value)
    assert said is not None
    assert type(value).__name__ in said


@pytest.mark.parametrize("name", EVERY)
def test_none_is_refused_unless_it_is_the_default(name: str) -> None:
    assert "NoneType" in str(checked(EVERY[name], None))
    assert checked(EVERY[name], None, default=None) is None


@pytest.mark.parametrize("name", ["texts", "instances", "devices", "device_ids", "custom_fields"])
def test_a_list_is_refused_where_a_tuple_is_needed(name: str) -> None:
    assert "tuple" in str(checked(EVERY[name], []))


# Numbers, flags, dates


@pytest.mark.parametrize(("value", "said"), [(0, "1 or more"), (-1, "1 or more"), (2_001, "2,000 or less")])
def test_a_number_out_of_bounds_is_refused_with_the_bound(value: int, said: str) -> None:
    assert said in str(checked(checks.whole(least=1, most=2_000), value))


@pytest.mark.parametrize("value", [1, 2, 1_999, 2_000])
def test_a_number_within_its_bounds_or_at_them_is_accepted(value: int) -> None:
    assert checked(checks.whole(least=1, most=2_000), value) is None


def test_true_is_not_accepted_as_a_number_and_one_not_as_a_flag() -> None:
    assert "bool" in str(checked(checks.whole(least=0), value=True))
    assert "int" in str(checked(checks.flag, 1))
    assert checked(checks.flag, value=False) is None


def test_a_date_without_a_zone_or_without_a_time_is_refused() -> None:
    assert "no time zone" in str(checked(checks.zoned, datetime(2026, 1, 31)))  # noqa: DTZ001 - the point
    assert "not date" in str(checked(checks.zoned, date(2026, 1, 31)))
    assert checked(checks.zoned, datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=-5)))) is None


@attrs.frozen(kw_only=True)
class Span:
    earliest: datetime | None = None
    latest: datetime | None = None

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "earliest", "latest", most=timedelta(days=31))


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_times_in_the_wrong_order_are_refused_with_both_fields() -> None:
    said = refusal(lambda: Span(earliest=NOON, latest=NOON - timedelta(microseconds=1)))
    assert said == "Span: earliest is after latest"


def test_times_are_compared_across_zones() -> None:
    west = timezone(timedelta(hours=-8))
    Span(earliest=NOON, latest=NOON.astimezone(west))
    assert "after" in refusal(lambda: Span(earliest=NOON, latest=datetime(2026, 1, 31, 3, tzinfo=west)))


def test_a_time_span_may_be_as_long_as_its_limit_but_not_longer() -> None:
    Span(earliest=NOON, latest=NOON + timedelta(days=31))
    said = refusal(lambda: Span(earliest=NOON, latest=NOON + timedelta(days=31, microseconds=1)))
    assert said == "Span: latest may be at most 31 days after earliest"


@pytest.mark.parametrize("given", [{}, {"earliest": NOON}, {"latest": NOON}, {"earliest": NOON, "latest": NOON}])
def test_a_time_span_with_an_open_end_or_of_no_length_is_accepted(given: dict[str, datetime]) -> None:
    Span(**given)


@attrs.frozen(kw_only=True)
class Target:
    device_ids: tuple[DeviceId, ...] = ()
    group_name: str | None = None
    enabled: bool | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "device_ids", "group_name", "enabled")


def test_omitting_all_of_several_fields_is_refused_with_their_names() -> None:
    assert refusal(Target) == "Target: give device_ids, group_name or enabled"


@pytest.mark.parametrize("given", [{"device_ids": (IMEI,)}, {"group_name": "Trucks"}, {"enabled": False}])
def test_one_of_several_fields_is_enough_even_if_it_is_false(given: dict[str, Any]) -> None:
    Target(**given)


# Strings


@pytest.mark.parametrize("sign", ["'", "<", "\\"])
@pytest.mark.parametrize("name", ["text", "text_of"])
def test_a_character_that_the_platform_refuses_is_refused(name: str, sign: str) -> None:
    assert "the platform refuses" in str(checked(EVERY[name], f"a{sign}"))


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\u2028", "\u200b", "\ud800"])
def test_a_control_character_is_refused_and_not_repeated(sign: str) -> None:
    said = str(checked(checks.text, f"secret{sign}text"))
    assert "cannot be printed" in said
    assert sign not in said
    assert "secret" not in said


def test_an_empty_string_is_refused_and_a_blank_one_accepted() -> None:
    assert checked(checks.text, "") == "must not be empty"
    assert checked(checks.text, " ") is None


@pytest.mark.parametrize(
    ("size", "said"), [(0, "must not be empty"), (2, "3 characters or more, not 2"), (161, "160 characters or fewer")]
)
def test_a_string_that_is_too_short_or_too_long_is_refused_with_both_numbers(size: int, said: str) -> None:
    assert said in str(checked(checks.text_of(least=3, most=160), "x" * size))


@pytest.mark.parametrize("size", [3, 4, 159, 160])
def test_a_string_at_its_limits_is_accepted(size: int) -> None:
    assert checked(checks.text_of(least=3, most=160), "x" * size) is None
    assert checked(checks.text_of(least=3, most=160), "😀" * size) is None


def test_the_number_of_strings_and_each_string_are_checked() -> None:
    check = checks.texts(least=1, most=2)
    assert "must hold 1 str or more, not 0" in str(checked(check, ()))
    assert "may hold 2 str, not 3" in str(checked(check, ("a", "b", "c")))
    assert "has an item that contains one of the characters" in str(checked(check, ("a", "b'")))
    assert "has an item that must not be empty" in str(checked(check, ("a", "")))
    assert "must hold str only, not int" in str(checked(check, ("a", 1)))
    assert "must hold str only, not NoneType" in str(checked(check, ("a", None)))
    assert checked(check, ("a", "b")) is None


def test_the_number_of_models_and_the_class_of_each_are_checked() -> None:
    check, field = checks.instances(CustomField, least=1, most=2), CustomField(key="CustomField1", value="x")
    assert "must hold CustomField only, not DeviceId" in str(checked(check, (field, IMEI)))
    assert "must hold 1 CustomField or more, not 0" in str(checked(check, ()))
    assert "must hold CustomField only, not NoneType" in str(checked(check, (field, None)))
    assert "may hold 2 CustomField, not 3" in str(checked(check, (field,) * 3))
    assert checked(check, (field,) * 2) is None
    assert "must be a CustomField, not DeviceId" in str(checked(checks.instance(CustomField), IMEI))
    assert "must be an Accepted, not DeviceId" in str(checked(checks.instance(Accepted), IMEI))


# Custom fields


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("CustomField0", "x", "has the key CustomField0"),
        ("CustomField6", "x", "has the key CustomField6"),
        ("customField1", "x", "has the key customField1"),
        ("CustomField1\n", "x", "has a key that contains a character that cannot be printed"),
        ("CustomField11", "x", "has the key CustomField11"),
        ("", "x", "has a key that must not be empty"),
        (None, "x", "has a key that must be a str, not NoneType"),
        ("CustomField1", None, "has a value that must be a str, not NoneType"),
        ("CustomField1", "a'b", "has a value that contains one of the characters"),
        ("CustomField1", "a\nb", "has a value that contains a character that cannot be printed"),
        ("CustomField5", "x" * 51, "has 51 characters for CustomField5; the platform allows 50"),
    ],
)
def test_a_custom_field_that_the_platform_would_refuse_is_refused(key: Any, value: Any, said: str) -> None:
    good = CustomField(key="CustomField2", value="x")
    assert said in str(checked(checks.custom_fields, (good, CustomField(key=key, value=value))))


def test_none_is_refused_as_a_custom_field() -> None:
    assert "must hold CustomField only, not NoneType" in str(checked(checks.custom_fields, (None,)))


@pytest.mark.parametrize("value", ["", "x", "x" * 50, "é" * 50])
def test_a_custom_field_may_be_empty_or_as_long_as_its_limit(value: str) -> None:
    every = tuple(CustomField(key=f"CustomField{number}", value=value) for number in range(1, 6))
    assert checked(checks.custom_fields, every) is None


# Identifiers


GOOD = [
    DeviceId.imei("99001390783557"),
    DeviceId.imei("9900139078355731"),
    DeviceId.iccid("8914800000080078"),
    DeviceId.iccid("89141390780800784259"),
    DeviceId.mdn("5125550123"),
    DeviceId.msisdn("15125550123"),
    DeviceId.msisdn("151255501231234"),
    DeviceId.meid("A100003685E561"),
    DeviceId.meid("a100003685e561"),
    DeviceId.esn("19110173057"),
    DeviceId.esn("80AB12ff"),
    DeviceId.imsi("310150123456789"),
    DeviceId.eid("678912789123453456784008666456"),
    DeviceId.eid("67891278912345345678400866645632"),
    DeviceId(id="5125550123", kind="min"),
]

BAD = [
    ("9900139078355", "imei"),
    ("99001390783557312", "imei"),
    ("99001390783557x", "imei"),
    ("٩٩٠٠١٣٩٠٧٨٣٥٥٧٣", "imei"),
    (" 990013907835573", "imei"),
    ("891480000008007", "iccid"),
    ("891413907808007842591", "iccid"),
    ("512555012", "mdn"),
    ("+5125550123", "mdn"),
    ("5125550123", "msisdn"),
    ("A100003685E56", "meid"),
    ("G100003685E561", "meid"),
    ("1911017305", "esn"),
    ("31015012345678", "imsi"),
    ("67891278912345345678400866645", "eid"),
    ("512555012", "min"),
]

CASES = [str.lower, str.upper, str.capitalize, str.swapcase]


@pytest.mark.parametrize("identifier", GOOD, ids=str)
@pytest.mark.parametrize("spell", CASES)
def test_an_identifier_that_fits_its_kind_is_accepted_in_any_case_of_the_kind(
    identifier: DeviceId, spell: Callable[[str], str]
) -> None:
    spelt = attrs.evolve(identifier, kind=spell(identifier.kind))
    assert checked(checks.device_id, spelt) is None
    assert checked(checks.device_ids(), (spelt,)) is None
    assert Suspension(devices=[spelt]).devices == (DeviceIds(device_ids=(identifier,)),)


@pytest.mark.parametrize(("text", "kind"), BAD)
@pytest.mark.parametrize("spell", CASES)
def test_an_identifier_that_does_not_fit_its_kind_is_refused_and_the_error_says_what_fits(
    text: str, kind: str, spell: Callable[[str], str]
) -> None:
    said = refusal(lambda: DeviceId(id=text, kind=spell(kind)))
    assert f"DeviceId has the {spell(kind)} {text}, which must be " in said


@pytest.mark.parametrize("kind", ["serial", "iccid2", "IMEI SV", "x", "é", "imei "])
def test_an_identifier_of_an_unknown_kind_is_left_to_the_platform(kind: str) -> None:
    Suspension(devices=[DeviceId(id="anything 1-2", kind=kind)])


ODD_PARTS: list[tuple[Any, str]] = [
    ("", "must not be empty"),
    (None, "must be a str, not NoneType"),
    (990013907835573, "must be a str, not int"),
    (b"990013907835573", "must be a str, not bytes"),
    ([], "must be a str, not list"),
    ("9900139078\n35573", "cannot be printed"),
    ("990013907835573\n", "cannot be printed"),
    ("99001390783557'", "the platform refuses"),
]


@pytest.mark.parametrize(("part", "said"), ODD_PARTS)
@pytest.mark.parametrize("kind", ["imei", "serial"])
def test_an_invalid_id_is_refused_with_the_reason(part: Any, said: str, kind: str) -> None:
    assert re.search(f"has an id that .*{said}", refusal(lambda: DeviceId(id=part, kind=kind)))


@pytest.mark.parametrize(("part", "said"), ODD_PARTS)
def test_an_invalid_kind_is_refused_with_the_reason(part: Any, said: str) -> None:
    assert re.search(f"has a kind that .*{said}", refusal(lambda: DeviceId(id="990013907835573", kind=part)))


@pytest.mark.parametrize("make", [DeviceId.imei, lambda value: DeviceId(id=value, kind="IMEI")])
def test_a_wrong_check_digit_of_an_imei_is_a_warning_not_an_error(make: Callable[[str], DeviceId]) -> None:
    with pytest.warns(SuspiciousIdentifier, match="IMEI 490154203237519 has a wrong check digit") as caught:
        assert make("490154203237519").id == "490154203237519"
    assert caught[0].filename == __file__


@pytest.mark.parametrize("imei", ["490154203237518", "49015420323751", "4901542032375199"])
def test_a_right_check_digit_and_an_imei_without_one_give_no_warning(imei: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeviceId.imei(imei)


def test_every_mistyped_digit_of_an_imei_is_noticed() -> None:
    right = "490154203237518"
    for place in range(15):
        for digit in set("0123456789") - {right[place]}:
            with pytest.warns(SuspiciousIdentifier):
                DeviceId.imei(f"{right[:place]}{digit}{right[place + 1 :]}")


ODD_ANSWER = (
    b'{"deviceIds": [{"id": "no imei", "kind": "imei"}, {"id": "", "kind": "mdn"}, {"id": "1\\n", "kind": "x"}]}'
)


def test_invalid_identifiers_in_an_answer_can_be_read_and_sent_back() -> None:
    device = codec.load(ODD_ANSWER, DeviceIds)
    assert [one.id for one in device.device_ids] == ["no imei", "", "1\n"]
    assert Suspension(devices=[device]).devices == (device,)


def test_an_invalid_identifier_is_not_blamed_for_another_error_in_an_answer() -> None:
    body = b'{"deviceIds": [{"id": "no imei", "kind": "imei"}, {"id": 7, "kind": "mdn"}]}'
    with pytest.raises(codec.Mismatch) as caught:
        codec.load(body, DeviceIds)
    assert (caught.value.path, caught.value.message) == ("deviceIds[1].id", "expected a string, found a number")


def test_ten_thousand_devices_are_accepted_and_one_more_is_refused_with_the_limit() -> None:
    assert len(Suspension(devices=MANY).devices) == 10_000
    assert suspension((*MANY, IMEI)) == "Suspension: devices may hold 10,000 DeviceIds, not 10,001"


def test_an_empty_list_of_devices_is_refused_where_one_is_needed() -> None:
    assert suspension([]) == "Suspension: devices must hold 1 DeviceIds or more, not 0"
    assert checked(checks.devices(least=0), ()) is None


def test_a_fields_own_limit_applies() -> None:
    hundred = tuple(DeviceIds(device_ids=(one,)) for one in MANY[:101])
    assert checked(checks.devices(most=100), hundred[:100]) is None
    assert checked(checks.devices(most=100), hundred) == "may hold 100 DeviceIds, not 101"
    assert checked(checks.device_ids(most=100), MANY[:100]) is None
    assert checked(checks.device_ids(most=100), MANY[:101]) == "may hold 100 DeviceId, not 101"


@pytest.mark.parametrize("identifiers", [(), [], None, [IMEI], IMEI, "990013907835573"])
def test_a_device_without_a_tuple_of_identifiers_is_refused_and_its_index_named(identifiers: Any) -> None:
    said = suspension([IMEI, DeviceIds(device_ids=identifiers)])
    assert said == "Suspension: devices has a device without a tuple of identifiers, at 1"


def test_a_value_in_a_device_that_is_not_an_identifier_is_refused_and_its_type_named() -> None:
    odd: Any = "990013907835573"
    assert "must be a DeviceId" in suspension([DeviceIds(device_ids=(IMEI, odd))])
    assert "not str" in suspension([DeviceIds(device_ids=(odd, IMEI))])


@pytest.mark.parametrize(
    ("address", "said"), [("", "empty"), (7, "not int"), ("1'", "refuses"), ("1\n", "cannot be printed")]
)
def test_an_invalid_ip_address_is_refused_and_its_index_named(address: Any, said: str) -> None:
    found = suspension([IMEI, DeviceIds(device_ids=(IMEI,), ip_address=address)])
    assert re.search(f"has an ip_address that .*{said}.*, at 1$", found)


# Ways to name devices


def _generated() -> Iterator[DeviceId]:
    yield IMEI


WHOLE = (DeviceIds(device_ids=(IMEI,)),)


@pytest.mark.parametrize(
    "given",
    [[IMEI], (IMEI,), {IMEI: 1}, _generated(), [[IMEI]], [(IMEI,)], [_generated()], [{IMEI}], list(WHOLE), WHOLE],
    ids=range(10),
)
def test_devices_may_be_given_in_any_unambiguous_form(given: SomeDevices) -> None:
    assert Suspension(devices=given).devices == WHOLE


def test_several_identifiers_of_one_device_stay_together_and_in_order() -> None:
    iccid = DeviceId.iccid("89141390780800784259")
    given: SomeDevices = [IMEI, [IMEI, iccid], DeviceIds(device_ids=(iccid,), ip_address="203.0.113.7")]
    assert Suspension(devices=given).devices == (
        DeviceIds(device_ids=(IMEI,)),
        DeviceIds(device_ids=(IMEI, iccid)),
        DeviceIds(device_ids=(iccid,), ip_address="203.0.113.7"),
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (IMEI, "must be a tuple of DeviceIds, not DeviceId"),
        (WHOLE[0], "must be a tuple of DeviceIds, not DeviceIds"),
        ("990013907835573", "must be a tuple of DeviceIds, not str"),
        (None, "must be a tuple of DeviceIds, not NoneType"),
        (7, "must be a tuple of DeviceIds, not int"),
        (b"99", "must hold DeviceIds only, not int"),
        (["990013907835573"], "must hold DeviceIds only, not str"),
        ([None], "must hold DeviceIds only, not NoneType"),
        ([["990013907835573"]], "must hold DeviceIds only, not list"),
        ([[IMEI, None]], "must hold DeviceIds only, not list"),
        ([[WHOLE[0]]], "must hold DeviceIds only, not list"),
        ([{"id": "1", "kind": "imei"}], "must hold DeviceIds only, not dict"),
        ({"id": "1", "kind": "imei"}, "must hold DeviceIds only, not str"),
        ([[]], "has a device without a tuple of identifiers, at 0"),
    ],
    ids=range(14),
)
def test_a_value_that_names_no_devices_is_refused_and_its_type_named(given: Any, said: str) -> None:
    hint = "; write a list of identifiers such as [DeviceId.imei('…')]"
    assert suspension(given).removesuffix(hint) == f"Suspension: devices {said}"


def test_the_error_for_an_invalid_device_says_how_to_write_one() -> None:
    assert "write a list of identifiers such as [DeviceId.imei('…')]" in suspension(["990013907835573"])
    assert "write a list of identifiers such as [DeviceId.imei('…')]" in suspension(IMEI)


def test_changing_the_arguments_afterwards_does_not_change_the_request() -> None:
    given = [IMEI]
    made = Suspension(devices=given)
    given.clear()
    assert made.devices == WHOLE
    assert hash(made) == hash(Suspension(devices=[DeviceId(id=IMEI.id, kind="IMEI")]))


def test_accepted_is_constructed_from_a_request_id() -> None:
    assert Accepted(request_id="1") == Accepted(request_id="1") != Accepted(request_id="2")
    with pytest.raises(TypeError):
        Accepted()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((), "must hold 1 tuple or more"),
        (((),), "has a device without identifiers, at 0"),
        (((IMEI,), ()), "has a device without identifiers, at 1"),
        ((IMEI,), "must hold tuple only, not DeviceId"),
        ((("990013907835573",),), "must be a DeviceId"),
        (((IMEI,),) * 3, "may hold 2 tuple, not 3"),
    ],
)
def test_bare_lists_of_identifiers_are_checked_like_those_of_devices(value: Any, said: str) -> None:
    assert said in (checked(checks.lists_of_device_ids(most=2), value) or "")


def test_bare_lists_of_identifiers_are_accepted_up_to_their_limit() -> None:
    assert checked(checks.lists_of_device_ids(most=2), ((IMEI,), (IMEI, IMEI))) is None


# Callback listeners and messages


PORTS = (range(443, 444), range(9001, 9007))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.com", None),
        ("http://example.com:9001/a?b=c", None),
        ("HTTPS://example.com:9006", None),
        ("http://example.com", "has the port 80; the platform allows 443, 9001-9006"),
        ("https://example.com:0", "has the port 0; the platform allows 443, 9001-9006"),
        ("https://example.com:9007", "has the port 9007; the platform allows 443, 9001-9006"),
        ("https://example.com:99999", "is not a URL"),
        ("https://example.com:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://:9001/", "must be a URL such as https://example.com/callbacks"),
        ("https://exam ple.com", "must be a URL such as https://example.com/callbacks"),
        ("ws://example.com:443", "must be a URL such as https://example.com/callbacks"),
        ("example.com", "must be a URL such as https://example.com/callbacks"),
        ("", "must not be empty"),
        (None, "must be a str, not NoneType"),
    ],
)
def test_a_listener_url_must_be_http_with_an_allowed_port(given: Any, said: str | None) -> None:
    assert checked(checks.url(ports=PORTS), given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Secret("hunter2"), None),
        (Secret("x" * 8), None),
        (Secret(""), "must not be empty"),
        (Secret("hunter-22"), "must have 8 characters or fewer, not 9"),
        (Secret("hunt'r"), "contains one of the characters ' < \\, which the platform refuses"),
        ("hunter2", "must be a Secret or a str, not str"),
        (7, "must be a Secret or a str, not int"),
    ],
)
def test_the_length_of_a_secret_is_checked_without_showing_it(given: Any, said: str | None) -> None:
    assert checked(checks.secret_of(most=8), given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Grüße\r\nfrom the\u00a0field\t", None),
        ("", "must not be empty"),
        ("it's", "contains one of the characters ' < \\, which the platform refuses"),
        (b"bytes", "must be a str, not bytes"),
    ],
)
def test_a_message_to_a_device_may_have_line_ends(given: Any, said: str | None) -> None:
    assert checked(checks.content, given) == said


def test_one_or_several_identifiers_become_a_tuple() -> None:
    assert to_device_ids(IMEI) == to_device_ids([IMEI]) == to_device_ids(iter([IMEI])) == (IMEI,)
    for odd in ("990013907835573", None, 7):
        assert to_device_ids(odd) is odd  # type: ignore[arg-type,comparison-overlap]


def test_the_identifier_of_a_kind_is_found_in_any_case() -> None:
    device = DeviceIds(device_ids=(IMEI, DeviceId(id="8914800000080078", kind="iccId"), ICCID))
    found = (device.identifier("IMEI"), device.identifier("iccid"), device.identifier("mdn"))
    assert found == (device.imei, device.iccid, device.mdn) == (IMEI.id, "8914800000080078", None)


@attrs.frozen(kw_only=True)
class InGroup:
    account_name: str | None = None
    group_names: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        checks.needs(self, "group_names", "account_name")


def test_a_field_that_needs_another_is_refused_without_it() -> None:
    assert InGroup() == InGroup(group_names=())
    assert InGroup(account_name="a", group_names=("b",)) != InGroup(account_name="a")
    with pytest.raises(InvalidRequest, match="InGroup: group_names needs account_name, too"):
        InGroup(group_names=("b",))


@attrs.frozen(kw_only=True)
class Choice:
    devices: tuple[str, ...] | None = None
    group_name: str | None = None
    custom_fields: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "devices", "group_name", "custom_fields")


@pytest.mark.parametrize(
    "given", [{}, {"devices": ("a",)}, {"group_name": "b", "custom_fields": ("c",)}, {"devices": (), "group_name": "b"}]
)
def test_fields_that_exclude_each_other_may_be_given_without_each_other(given: dict[str, Any]) -> None:
    assert Choice(**given)


@pytest.mark.parametrize("other", [{"group_name": "b"}, {"custom_fields": ("c",)}])
def test_fields_that_exclude_each_other_are_refused_and_named(other: dict[str, Any]) -> None:
    (name,) = other
    said = refusal(lambda: Choice(devices=("a",), **other))
    assert said == f"Choice: give either devices or {name}, not both"


def test_an_empty_string_is_accepted_where_the_platform_accepts_one_and_other_checks_remain() -> None:
    assert checked(checks.text_or_empty, "") is None
    assert checked(checks.text_or_empty, "a") is None
    assert checked(checks.text_or_empty, "a'") == "contains one of the characters ' < \\, which the platform refuses"
    assert checked(checks.text_or_empty, 1) == "must be a str, not int"
