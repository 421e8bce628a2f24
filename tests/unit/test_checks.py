"""The checks of what a caller gives: what they refuse, what they let pass, and what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from thingspace_async import _checks
from thingspace_async._types import (
    Accepted,
    CustomField,
    DeviceId,
    DeviceIds,
    Secret,
    SomeDevices,
    to_device_ids,
    to_devices,
)
from thingspace_async.errors import InvalidRequest

IMEI = DeviceId.imei("990013907835573")
MANY = tuple(DeviceId.imei(f"{number:015}") for number in range(10_000))


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        make()
    return str(caught.value)


def checked(validator: Any, value: object, default: Any = attrs.NOTHING) -> str | None:
    """Return what is said about a field with a value; None when it is let pass."""

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
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())


def suspension(given: Any) -> str:
    return refusal(lambda: Suspension(devices=given))


# Whatever the check


EVERY = {
    "text": _checks.text,
    "flag": _checks.flag,
    "zoned": _checks.zoned,
    "device_id": _checks.device_id,
    "custom_fields": _checks.custom_fields,
    "whole": _checks.whole(least=1),
    "text_of": _checks.text_of(most=3),
    "texts": _checks.texts(),
    "instance": _checks.instance(CustomField),
    "instances": _checks.instances(CustomField),
    "devices": _checks.devices(),
    "device_ids": _checks.device_ids(),
}

WRONG = [b"x", 1.5, {"id": "1"}, {1}, object(), float("nan"), [IMEI], ["x"], range(3), DeviceId, Exception("x")]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
def test_a_value_of_another_type_is_refused_and_its_type_is_named(name: str, value: object) -> None:
    said = checked(EVERY[name], value)
    assert said is not None
    assert type(value).__name__ in said


@pytest.mark.parametrize("name", EVERY)
def test_none_is_refused_where_a_value_is_required_and_lets_the_default_pass(name: str) -> None:
    assert "NoneType" in str(checked(EVERY[name], None))
    assert checked(EVERY[name], None, default=None) is None


@pytest.mark.parametrize("name", ["texts", "instances", "devices", "device_ids", "custom_fields"])
def test_a_list_is_refused_where_only_a_tuple_cannot_change(name: str) -> None:
    assert "tuple" in str(checked(EVERY[name], []))


# Numbers, flags, dates


@pytest.mark.parametrize(("value", "said"), [(0, "1 or more"), (-1, "1 or more"), (2_001, "2,000 or less")])
def test_a_number_out_of_bounds_is_refused_with_the_bound(value: int, said: str) -> None:
    assert said in str(checked(_checks.whole(least=1, most=2_000), value))


@pytest.mark.parametrize("value", [1, 2, 1_999, 2_000])
def test_a_number_within_its_bounds_and_at_them_is_taken(value: int) -> None:
    assert checked(_checks.whole(least=1, most=2_000), value) is None


def test_true_is_no_number_and_one_is_no_flag() -> None:
    assert "bool" in str(checked(_checks.whole(least=0), value=True))
    assert "int" in str(checked(_checks.flag, 1))
    assert checked(_checks.flag, value=False) is None


def test_a_date_without_a_zone_or_without_a_time_is_refused() -> None:
    assert "no time zone" in str(checked(_checks.zoned, datetime(2026, 1, 31)))  # noqa: DTZ001 - the point
    assert "not date" in str(checked(_checks.zoned, date(2026, 1, 31)))
    assert checked(_checks.zoned, datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=-5)))) is None


@attrs.frozen(kw_only=True)
class Span:
    earliest: datetime | None = None
    latest: datetime | None = None

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "earliest", "latest", most=timedelta(days=31))


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_times_in_the_wrong_order_are_refused_with_both_fields() -> None:
    said = refusal(lambda: Span(earliest=NOON, latest=NOON - timedelta(microseconds=1)))
    assert said == "Span: earliest is after latest"


def test_times_are_compared_across_zones() -> None:
    west = timezone(timedelta(hours=-8))
    Span(earliest=NOON, latest=NOON.astimezone(west))
    assert "after" in refusal(lambda: Span(earliest=NOON, latest=datetime(2026, 1, 31, 3, tzinfo=west)))


def test_a_span_may_be_as_long_as_its_limit_and_no_longer() -> None:
    Span(earliest=NOON, latest=NOON + timedelta(days=31))
    said = refusal(lambda: Span(earliest=NOON, latest=NOON + timedelta(days=31, microseconds=1)))
    assert said == "Span: from earliest to latest may be 31 days at most"


@pytest.mark.parametrize("given", [{}, {"earliest": NOON}, {"latest": NOON}, {"earliest": NOON, "latest": NOON}])
def test_a_span_with_an_open_end_or_of_no_length_is_taken(given: dict[str, datetime]) -> None:
    Span(**given)


@attrs.frozen(kw_only=True)
class Target:
    device_ids: tuple[DeviceId, ...] = ()
    group_name: str | None = None
    enabled: bool | None = None

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "device_ids", "group_name", "enabled")


def test_none_of_several_fields_is_refused_with_all_their_names() -> None:
    assert refusal(Target) == "Target: give device_ids, group_name or enabled"


@pytest.mark.parametrize("given", [{"device_ids": (IMEI,)}, {"group_name": "Trucks"}, {"enabled": False}])
def test_any_of_several_fields_will_do_even_when_it_is_false(given: dict[str, Any]) -> None:
    Target(**given)


# Texts


@pytest.mark.parametrize("sign", ["'", "<", "\\"])
@pytest.mark.parametrize("name", ["text", "text_of"])
def test_a_character_that_the_platform_refuses_is_refused_before_it_is_sent(name: str, sign: str) -> None:
    assert "the platform refuses" in str(checked(EVERY[name], f"a{sign}"))


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\u2028", "\u200b", "\ud800"])
def test_a_control_character_is_refused_and_not_repeated(sign: str) -> None:
    said = str(checked(_checks.text, f"secret{sign}text"))
    assert "control character" in said
    assert sign not in said
    assert "secret" not in said


def test_an_empty_text_is_refused_and_a_blank_one_taken() -> None:
    assert checked(_checks.text, "") == "must not be empty"
    assert checked(_checks.text, " ") is None


@pytest.mark.parametrize(
    ("size", "said"), [(0, "must not be empty"), (2, "3 characters or more, not 2"), (161, "160 characters or fewer")]
)
def test_a_text_that_is_too_short_or_too_long_is_refused_with_both_numbers(size: int, said: str) -> None:
    assert said in str(checked(_checks.text_of(least=3, most=160), "x" * size))


@pytest.mark.parametrize("size", [3, 4, 159, 160])
def test_a_text_at_its_limits_is_taken(size: int) -> None:
    assert checked(_checks.text_of(least=3, most=160), "x" * size) is None
    assert checked(_checks.text_of(least=3, most=160), "😀" * size) is None


def test_texts_are_counted_and_each_is_checked() -> None:
    check = _checks.texts(least=1, most=2)
    assert "must hold 1 str or more, not 0" in str(checked(check, ()))
    assert "may hold 2 str, not 3" in str(checked(check, ("a", "b", "c")))
    assert "has an item that holds one of the characters" in str(checked(check, ("a", "b'")))
    assert "has an item that must not be empty" in str(checked(check, ("a", "")))
    assert "must hold str only, not int" in str(checked(check, ("a", 1)))
    assert "must hold str only, not NoneType" in str(checked(check, ("a", None)))
    assert checked(check, ("a", "b")) is None


def test_models_are_counted_and_each_must_be_of_the_class() -> None:
    check, field = _checks.instances(CustomField, least=1, most=2), CustomField(key="CustomField1", value="x")
    assert "must hold CustomField only, not DeviceId" in str(checked(check, (field, IMEI)))
    assert "must hold 1 CustomField or more, not 0" in str(checked(check, ()))
    assert "must hold CustomField only, not NoneType" in str(checked(check, (field, None)))
    assert "may hold 2 CustomField, not 3" in str(checked(check, (field,) * 3))
    assert checked(check, (field,) * 2) is None
    assert "must be a CustomField, not DeviceId" in str(checked(_checks.instance(CustomField), IMEI))
    assert "must be an Accepted, not DeviceId" in str(checked(_checks.instance(Accepted), IMEI))


# Custom fields


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("CustomField0", "x", "has the key CustomField0"),
        ("CustomField6", "x", "has the key CustomField6"),
        ("customField1", "x", "has the key customField1"),
        ("CustomField1\n", "x", "has a key that holds a control character"),
        ("CustomField11", "x", "has the key CustomField11"),
        ("", "x", "has a key that must not be empty"),
        (None, "x", "has a key that must be a str, not NoneType"),
        ("CustomField1", None, "has a value that must be a str, not NoneType"),
        ("CustomField1", "a'b", "has a value that holds one of the characters"),
        ("CustomField1", "a\nb", "has a value that holds a control character"),
        ("CustomField5", "x" * 51, "has a value of 51 characters for CustomField5; it may have 50"),
    ],
)
def test_a_custom_field_that_the_platform_would_refuse_is_refused(key: Any, value: Any, said: str) -> None:
    good = CustomField(key="CustomField2", value="x")
    assert said in str(checked(_checks.custom_fields, (good, CustomField(key=key, value=value))))


def test_none_is_no_custom_field() -> None:
    assert "must hold CustomField only, not NoneType" in str(checked(_checks.custom_fields, (None,)))


@pytest.mark.parametrize("value", ["", "x", "x" * 50, "é" * 50])
def test_a_custom_field_may_be_emptied_and_filled_up_to_its_limit(value: str) -> None:
    every = tuple(CustomField(key=f"CustomField{number}", value=value) for number in range(1, 6))
    assert checked(_checks.custom_fields, every) is None


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
    DeviceId.imei("9900139078355"),
    DeviceId.imei("99001390783557312"),
    DeviceId.imei("99001390783557x"),
    DeviceId.imei("٩٩٠٠١٣٩٠٧٨٣٥٥٧٣"),
    DeviceId.imei(" 990013907835573"),
    DeviceId.iccid("891480000008007"),
    DeviceId.iccid("891413907808007842591"),
    DeviceId.mdn("512555012"),
    DeviceId.mdn("+5125550123"),
    DeviceId.msisdn("5125550123"),
    DeviceId.meid("A100003685E56"),
    DeviceId.meid("G100003685E561"),
    DeviceId.esn("1911017305"),
    DeviceId.imsi("31015012345678"),
    DeviceId.eid("67891278912345345678400866645"),
    DeviceId(id="512555012", kind="min"),
]

CASES = [str.lower, str.upper, str.capitalize, str.swapcase]


@pytest.mark.parametrize("identifier", GOOD, ids=str)
@pytest.mark.parametrize("spell", CASES)
def test_an_identifier_that_fits_its_kind_is_taken_whatever_the_case_of_the_kind(
    identifier: DeviceId, spell: Callable[[str], str]
) -> None:
    spelt = attrs.evolve(identifier, kind=spell(identifier.kind))
    assert checked(_checks.device_id, spelt) is None
    assert checked(_checks.device_ids(), (spelt,)) is None
    assert Suspension(devices=[spelt]).devices == (DeviceIds(device_ids=(identifier,)),)


@pytest.mark.parametrize("identifier", BAD, ids=str)
@pytest.mark.parametrize("spell", CASES)
def test_an_identifier_that_does_not_fit_is_named_with_what_would(
    identifier: DeviceId, spell: Callable[[str], str]
) -> None:
    spelt = attrs.evolve(identifier, kind=spell(identifier.kind))
    for said in (
        checked(_checks.device_id, spelt),
        checked(_checks.device_ids(), (IMEI, spelt)),
        suspension([IMEI, spelt]),
    ):
        assert f"has the {spelt.kind} {spelt.id}, which must be " in str(said)


@pytest.mark.parametrize("kind", ["serial", "iccid2", "IMEI SV", "x", "é", "imei "])
def test_an_identifier_of_an_unknown_kind_is_left_to_the_platform(kind: str) -> None:
    assert checked(_checks.device_id, DeviceId(id="anything 1-2", kind=kind)) is None
    Suspension(devices=[DeviceId(id="anything 1-2", kind=kind)])


ODD_PARTS: list[tuple[Any, str]] = [
    ("", "must not be empty"),
    (None, "must be a str, not NoneType"),
    (990013907835573, "must be a str, not int"),
    (b"990013907835573", "must be a str, not bytes"),
    ("9900139078\n35573", "control character"),
    ("99001390783557'", "the platform refuses"),
]


@pytest.mark.parametrize(("part", "said"), ODD_PARTS)
@pytest.mark.parametrize("kind", ["imei", "serial"])
def test_an_odd_id_is_refused_with_the_reason(part: Any, said: str, kind: str) -> None:
    odd = DeviceId(id=part, kind=kind)
    for found in (checked(_checks.device_id, odd), checked(_checks.device_ids(), (odd,)), suspension([odd])):
        assert re.search(f"has an id that .*{said}", str(found))


@pytest.mark.parametrize(("part", "said"), ODD_PARTS)
def test_an_odd_kind_is_refused_with_the_reason(part: Any, said: str) -> None:
    odd = DeviceId(id="990013907835573", kind=part)
    for found in (checked(_checks.device_id, odd), checked(_checks.device_ids(), (odd,)), suspension([odd])):
        assert re.search(f"has a kind that .*{said}", str(found))


@pytest.mark.parametrize(
    "smuggled",
    [
        "990013907835573\n990013907835574",
        "\n990013907835573",
        "990013907835573\n",
        "990013907835573\r\n990013907835574",
        "990013907835573\u2028990013907835574",
    ],
)
@pytest.mark.parametrize("place", [0, 5_000, 9_999])
def test_a_line_end_in_an_identifier_cannot_pass_for_two_identifiers(smuggled: str, place: int) -> None:
    odd = (*MANY[:place], DeviceId.imei(smuggled), *MANY[place + 1 :])
    assert "control character" in suspension(odd)
    assert "control character" in str(checked(_checks.device_ids(), odd))


def test_two_line_ends_that_make_up_for_each_other_do_not_pass_either() -> None:
    # Joined by line ends, three texts whose parts are two identifiers each look like six.
    odd = [DeviceId.imei(f"{first:015}\n{first + 1:015}") for first in range(0, 6, 2)]
    assert "control character" in suspension(odd)


@pytest.mark.parametrize("place", [0, 1, 4_999, 9_998, 9_999])
def test_the_one_bad_identifier_among_ten_thousand_is_named(place: int) -> None:
    odd = (*MANY[:place], DeviceId.imei("no imei"), *MANY[place + 1 :])
    assert suspension(odd) == "Suspension: devices has the imei no imei, which must be 14 to 16 digits"


def test_the_one_bad_identifier_is_named_behind_others_of_other_kinds() -> None:
    mixed = [GOOD[number % len(GOOD)] for number in range(1_000)]
    assert "has the mdn 12, which must be 10 digits" in suspension([*mixed, DeviceId.mdn("12")])


def test_ten_thousand_devices_are_taken_at_once_and_one_more_is_refused_with_the_limit() -> None:
    assert len(Suspension(devices=MANY).devices) == 10_000
    assert suspension((*MANY, IMEI)) == "Suspension: devices may hold 10,000 DeviceIds, not 10,001"


def test_a_bad_identifier_among_many_is_found_in_no_time() -> None:
    hard = [*MANY[:-1], DeviceId.imei("1" * 100_000)]
    started = time.perf_counter()
    assert "which must be 14 to 16 digits" in suspension(hard)
    assert time.perf_counter() - started < 1


def test_no_device_at_all_is_refused_where_one_is_needed() -> None:
    assert suspension([]) == "Suspension: devices must hold 1 DeviceIds or more, not 0"
    assert checked(_checks.devices(least=0), ()) is None


def test_a_limit_of_its_own_is_held() -> None:
    hundred = tuple(DeviceIds(device_ids=(one,)) for one in MANY[:101])
    assert checked(_checks.devices(most=100), hundred[:100]) is None
    assert checked(_checks.devices(most=100), hundred) == "may hold 100 DeviceIds, not 101"
    assert checked(_checks.device_ids(most=100), MANY[:100]) is None
    assert checked(_checks.device_ids(most=100), MANY[:101]) == "may hold 100 DeviceId, not 101"


@pytest.mark.parametrize("identifiers", [(), [], None, [IMEI], IMEI, "990013907835573"])
def test_a_device_without_a_tuple_of_identifiers_is_refused_by_its_place(identifiers: Any) -> None:
    said = suspension([IMEI, DeviceIds(device_ids=identifiers)])
    assert said == "Suspension: devices has a device without a tuple of identifiers, at 1"


def test_what_is_no_identifier_within_a_device_is_refused_by_its_type() -> None:
    odd: Any = "990013907835573"
    assert "must be a DeviceId" in suspension([DeviceIds(device_ids=(IMEI, odd))])
    assert "not str" in suspension([DeviceIds(device_ids=(odd, IMEI))])


@pytest.mark.parametrize(("address", "said"), [("", "empty"), (7, "not int"), ("1'", "refuses"), ("1\n", "control")])
def test_an_odd_ip_address_is_refused_by_its_place(address: Any, said: str) -> None:
    found = suspension([IMEI, DeviceIds(device_ids=(IMEI,), ip_address=address)])
    assert re.search(f"has an ip_address that .*{said}.*, at 1$", found)


# What a caller names devices by


def _generated() -> Iterator[DeviceId]:
    yield IMEI


WHOLE = (DeviceIds(device_ids=(IMEI,)),)


@pytest.mark.parametrize(
    "given",
    [[IMEI], (IMEI,), {IMEI: 1}, _generated(), [[IMEI]], [(IMEI,)], [_generated()], [{IMEI}], list(WHOLE), WHOLE],
    ids=range(10),
)
def test_devices_may_be_given_in_any_shape_that_says_which_they_are(given: SomeDevices) -> None:
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
def test_what_says_nothing_about_devices_is_refused_by_its_type(given: Any, said: str) -> None:
    hint = "; write [DeviceId.imei('…')], or another identifier, in a list"
    assert suspension(given).removesuffix(hint) == f"Suspension: devices {said}"


def test_what_is_no_device_gets_told_how_to_write_one() -> None:
    assert "write [DeviceId.imei('…')]" in suspension(["990013907835573"])
    assert "write [DeviceId.imei('…')]" in suspension(IMEI)


def test_what_a_request_holds_cannot_be_changed_through_what_it_was_made_of() -> None:
    given = [IMEI]
    made = Suspension(devices=given)
    given.clear()
    assert made.devices == WHOLE
    assert hash(made) == hash(Suspension(devices=[DeviceId(id=IMEI.id, kind="IMEI")]))


def test_an_acceptance_is_its_request_id() -> None:
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
        (((IMEI, DeviceId.mdn("7")),), "has the mdn 7, which must be 10 digits"),
        (((IMEI,),) * 3, "may hold 2 tuple, not 3"),
    ],
)
def test_bare_lists_of_identifiers_are_checked_like_those_of_devices(value: Any, said: str) -> None:
    assert said in (checked(_checks.lists_of_device_ids(most=2), value) or "")


def test_bare_lists_of_identifiers_are_taken_up_to_their_limit() -> None:
    assert checked(_checks.lists_of_device_ids(most=2), ((IMEI,), (IMEI, IMEI))) is None


# Callback listeners and messages


PORTS = (range(443, 444), range(9001, 9007))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.com", None),
        ("http://example.com:9001/a?b=c", None),
        ("HTTPS://example.com:9006", None),
        ("http://example.com", "has the port 80; allowed are 443, 9001-9006"),
        ("https://example.com:0", "has the port 0; allowed are 443, 9001-9006"),
        ("https://example.com:9007", "has the port 9007; allowed are 443, 9001-9006"),
        ("https://example.com:99999", "is no URL"),
        ("https://example.com:port", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://:9001/", "must be a URL such as https://example.com/callbacks"),
        ("https://exam ple.com", "must be a URL such as https://example.com/callbacks"),
        ("ws://example.com:443", "must be a URL such as https://example.com/callbacks"),
        ("example.com", "must be a URL such as https://example.com/callbacks"),
        ("", "must not be empty"),
        (None, "must be a str, not NoneType"),
    ],
)
def test_a_url_is_of_a_web_server_at_an_allowed_port(given: Any, said: str | None) -> None:
    assert checked(_checks.url(ports=PORTS), given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Secret("hunter2"), None),
        (Secret("x" * 8), None),
        (Secret(""), "must not be empty"),
        (Secret("hunter-22"), "must have 8 characters or fewer, not 9"),
        (Secret("hunt'r"), "holds one of the characters ' < \\, which the platform refuses"),
        ("hunter2", "must be a Secret or a str, not str"),
        (7, "must be a Secret or a str, not int"),
    ],
)
def test_a_secret_has_so_many_characters_and_is_not_shown(given: Any, said: str | None) -> None:
    assert checked(_checks.secret_of(most=8), given) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Grüße\r\nfrom the\u00a0field\t", None),
        ("", "must not be empty"),
        ("it's", "holds one of the characters ' < \\, which the platform refuses"),
        (b"bytes", "must be a str, not bytes"),
    ],
)
def test_what_is_written_to_a_device_may_have_line_ends(given: Any, said: str | None) -> None:
    assert checked(_checks.content, given) == said


def test_identifiers_are_given_one_by_one_or_several_and_become_a_tuple() -> None:
    assert to_device_ids(IMEI) == to_device_ids([IMEI]) == to_device_ids(iter([IMEI])) == (IMEI,)
    for odd in ("990013907835573", None, 7):
        assert to_device_ids(odd) is odd  # type: ignore[arg-type,comparison-overlap]


def test_the_identifier_of_a_kind_is_found_whatever_its_case() -> None:
    device = DeviceIds(device_ids=(IMEI, DeviceId(id="1", kind="iccId"), DeviceId.iccid("2")))
    assert (device.identifier("IMEI"), device.identifier("iccid"), device.identifier("mdn")) == (IMEI.id, "1", None)


@attrs.frozen(kw_only=True)
class InGroup:
    account_name: str | None = None
    group_names: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        _checks.needs(self, "group_names", "account_name")


def test_a_field_that_needs_another_is_refused_without_it() -> None:
    assert InGroup() == InGroup(group_names=())
    assert InGroup(account_name="a", group_names=("b",)) != InGroup(account_name="a")
    with pytest.raises(InvalidRequest, match="InGroup: group_names needs account_name beside it"):
        InGroup(group_names=("b",))


@attrs.frozen(kw_only=True)
class Choice:
    devices: tuple[str, ...] | None = None
    group_name: str | None = None
    custom_fields: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        _checks.exclusive(self, "devices", "group_name", "custom_fields")


@pytest.mark.parametrize(
    "given", [{}, {"devices": ("a",)}, {"group_name": "b", "custom_fields": ("c",)}, {"devices": (), "group_name": "b"}]
)
def test_fields_that_exclude_each_other_may_be_given_without_each_other(given: dict[str, Any]) -> None:
    assert Choice(**given)


@pytest.mark.parametrize("other", [{"group_name": "b"}, {"custom_fields": ("c",)}])
def test_fields_that_exclude_each_other_are_refused_by_their_names(other: dict[str, Any]) -> None:
    (name,) = other
    said = refusal(lambda: Choice(devices=("a",), **other))
    assert said == f"Choice: devices and {name} exclude each other"


def test_an_empty_text_is_taken_where_the_platform_takes_one_and_nothing_else_that_is_odd() -> None:
    assert checked(_checks.text_or_empty, "") is None
    assert checked(_checks.text_or_empty, "a") is None
    assert checked(_checks.text_or_empty, "a'") == "holds one of the characters ' < \\, which the platform refuses"
    assert checked(_checks.text_or_empty, 1) == "must be a str, not int"
