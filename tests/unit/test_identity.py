"""Identity: all spellings of an identifier have one key, and no two identifiers share one."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async import DeviceId, DeviceIds
from thingspace_async._core.codec import load
from thingspace_async._core.faults import has_wrong_check_digit
from thingspace_async._core.identity import are_different, key_of, keys_of, name_of, names_of


def answered(kind: str, identifier: str) -> DeviceId:
    """Read an identifier as in an answer or a message, which have more forms than requests."""
    return load(orjson.dumps({"kind": kind, "id": identifier}), DeviceId)


def device(*identifiers: DeviceId) -> DeviceIds:
    return DeviceIds(device_ids=identifiers)


SAME = {
    "imei": [
        ("imei", "99001390783000"),
        ("IMEI", "990013907830009"),
        ("Imei", "9900139078300012"),
        ("meid", "99001390783000"),
        ("meid", "256691905607876608"),
    ],
    "iccid": [
        ("iccid", "8914800000001234567"),
        ("iccId", "89148000000012345675"),
        ("Iccid", "8914800000001234567F"),
        ("ICCID", "8914800000001234567f"),
        ("iccid", "89148000000012345675FF"),
    ],
    "short iccid": [("iccid", "891480000000123456"), ("iccid", "891480000000123456FF")],
    "meid": [
        ("meid", "A10000009296F2"),
        ("MEID", "a10000009296f2"),
        ("meid", "A10000009296F2B"),
        ("meid", "270113177609606898"),
    ],
    "esn": [("esn", "82077ABC"), ("ESN", "82077abc"), ("esn", "13000490172")],
    "number": [
        ("mdn", "9085550001"),
        ("MDN", "19085550001"),
        ("msisdn", "19085550001"),
        ("msisdn", "+19085550001"),
        ("msisdn", "9085550001"),
    ],
    "number abroad": [("msisdn", "447700900123"), ("msisdn", "+447700900123")],
    "short number abroad": [("msisdn", "+3545551234")],
    "number at home with the digits of one abroad": [("mdn", "3545551234")],
    "number of a line": [("min", "9085550001")],
    "imsi": [("imsi", "311480000000001"), ("IMSI", "311480000000001")],
    "eid": [("eid", "89049032000000000000000000000001")],
    "digits of an iccid": [("eid", "89148000000012345675")],
    "unknown kind": [("serial", "82077ABC"), ("Serial", "82077ABC")],
    "unknown kind in lower case": [("serial", "82077abc")],
}


@pytest.mark.parametrize("name", SAME)
def test_the_spellings_of_an_identifier_have_one_key(name: str) -> None:
    keys = {key_of(answered(kind, identifier)) for kind, identifier in SAME[name]}
    assert len(keys) == 1


def test_different_identifiers_have_different_keys() -> None:
    assert len({key_of(answered(*spellings[0])) for spellings in SAME.values()}) == len(SAME)


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("imei", "9900139078300"),
        ("imei", "99001390783000123"),
        ("imei", "99-001390-783000"),
        ("iccid", "891480000000123"),
        ("iccid", "891480000000123456759"),
        ("iccid", "89148000000012E4567"),
        ("mdn", "908555001"),
        ("mdn", "908-555-0001"),
        ("msisdn", "0123456789012345"),
        ("meid", "A10000009296F"),
        ("meid", "A10000009296G2"),
        ("meid", "999999999909606898"),  # The manufacturer's number has more than 32 bits.
        ("meid", "270113177699999999"),  # The serial number has more than 24 bits.
        ("esn", "25600490172"),
        ("esn", "13099999999"),
        ("esn", "8207ABCG"),
        ("esn", ""),
    ],
)
def test_an_id_not_in_the_form_of_its_kind_equals_only_itself(kind: str, identifier: str) -> None:
    assert key_of(answered(kind.upper(), identifier)) == f"{kind}?:{identifier}"


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def check_digit(body: str) -> str:
    return next(digit for digit in "0123456789" if not has_wrong_check_digit(body + digit))


def _imei(body: str, version: str) -> list[DeviceId]:
    return [answered("imei", body + end) for end in ("", check_digit(body), version)]


def _iccid(body: str, _: str) -> list[DeviceId]:
    return [answered("iccid", body + end) for end in ("", check_digit(body), "F", "f")]


def _meid(number: int, more: str) -> list[DeviceId]:
    body = f"{number:014X}"
    decimal = f"{number >> 24:010}{number & 0xFFFFFF:08}"
    return [answered("meid", one) for one in (body, body.lower(), body + more[:1], decimal)]


def _esn(number: int, _: str) -> list[DeviceId]:
    decimal = f"{number >> 24:03}{number & 0xFFFFFF:08}"
    return [answered("esn", one) for one in (f"{number:08X}", f"{number:08x}", decimal)]


def _mdn(body: str, _: str) -> list[DeviceId]:
    return [
        answered(kind, one)
        for kind, one in [("mdn", body), ("mdn", f"1{body}"), ("msisdn", f"1{body}"), ("msisdn", f"+1{body}")]
    ]


def _as_it_is(kind: str) -> st.SearchStrategy[list[DeviceId]]:
    size = {"imsi": 15, "eid": 32, "min": 10}[kind]
    return digits(size).map(lambda body: [answered(kind, body), answered(kind.upper(), body)])


SPELLINGS = st.one_of(
    st.builds(_imei, digits(14), digits(2)),
    st.builds(_iccid, digits(19), st.just("")),
    # MEIDs with letters: those without letters are IMEIs.
    st.builds(_meid, st.integers(0xA0 << 48, (0xFF << 48) - 1), digits(1)),
    st.builds(_esn, st.integers(0, 2**32 - 1), st.just("")),
    st.builds(_mdn, digits(10), st.just("")),
    *map(_as_it_is, ("imsi", "eid", "min")),
)
"""Strategies that each generate all spellings of one identifier."""


@given(SPELLINGS)
def test_any_identifier_has_one_key_whatever_its_spelling(spellings: list[DeviceId]) -> None:
    assert len({key_of(one) for one in spellings}) == 1
    assert len(keys_of(device(*spellings))) == 1


@given(SPELLINGS, SPELLINGS)
def test_any_two_identifiers_have_different_keys(some: list[DeviceId], others: list[DeviceId]) -> None:
    if some[0] == others[0]:  # The first spelling is complete and has no additions.
        return
    assert not {key_of(one) for one in some} & {key_of(one) for one in others}


@given(digits(18), digits(2))
def test_iccids_that_differ_in_the_19th_digit_have_different_keys(body: str, ends: str) -> None:
    one, two = ({key_of(spelling) for spelling in _iccid(body + end, "")} for end in ends)
    assert (one == two) is (ends[0] == ends[1])


@pytest.mark.parametrize(("kind", "body"), [("imei", "99001390783000"), ("iccid", "8914800000001234567")])
def test_a_wrong_check_digit_is_kept_because_any_digit_may_be_the_wrong_one(kind: str, body: str) -> None:
    keys = {digit: key_of(answered(kind, body + digit)) for digit in "0123456789"}
    assert len(set(keys.values())) == 10
    assert keys.pop(check_digit(body)) == key_of(answered(kind, body))
    for key in keys.values():
        assert not are_different([key], [key_of(answered(kind, body))])
        assert are_different([key], set(keys.values()) - {key})


def test_a_device_has_a_key_for_each_identifier_in_their_order() -> None:
    named = device(DeviceId.mdn("9085550001"), DeviceId.imei("990013907830009"), DeviceId.msisdn("19085550001"))
    assert keys_of(named) == ("msisdn:19085550001", "imei:99001390783000")
    assert keys_of(device()) == ()


@pytest.mark.parametrize(
    ("some", "others", "different"),
    [
        ({"imei:1"}, {"imei:1"}, False),
        ({"imei:1"}, {"imei:2"}, True),
        ({"imei:1"}, {"iccid:2"}, False),
        ({"imei:1", "iccid:1"}, {"imei:2", "iccid:1"}, True),
        ({"imei:1", "imei:2"}, {"imei:2", "imei:3"}, False),
        ({"imei:12"}, {"imei:1"}, False),
        ({"imei:12"}, {"imei:2"}, True),
        ({"imei:1"}, {"imei?:2"}, False),
        ({"imei?:1"}, {"imei?:2"}, False),
        ({"imei:1"}, set(), False),
    ],
)
def test_two_devices_are_distinguished_by_a_kind_that_both_have(
    some: set[str], others: set[str], *, different: bool
) -> None:
    assert are_different(some, others) is are_different(others, some) is different


def test_error_messages_name_devices_as_spelled_and_only_a_few_of_many() -> None:
    one = device(DeviceId.imei("99001390783000"), answered("iccId", "8914800000001234567F"))
    assert name_of(one) == "imei 99001390783000, iccId 8914800000001234567F"
    assert name_of(device()) == "an unnamed device"
    many = [device(answered("mdn", str(number))) for number in range(1_240)]
    assert names_of(many) == "mdn 0; mdn 1; mdn 2; 1,237 more"
    assert names_of(many[:3]) == "mdn 0; mdn 1; mdn 2"
