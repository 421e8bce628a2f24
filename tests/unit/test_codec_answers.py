"""Answers with one invalid value: the rest of the page is read, and no value is made up."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson
import pytest

from thingspace_async._core.codec import Mismatch, Model, dump, load
from thingspace_async._core.types import CustomField, DeviceId, Secret
from thingspace_async.accounts.models import Account, AccountLeadsResult, StatusResponse
from thingspace_async.devices import AccountDeviceListRequest, AccountDeviceListResult, Device, DevicePrlListRequest


@attrs.frozen(kw_only=True)
class Shown(Model):
    name: str
    secret: Secret | None = None
    moment: datetime | None = None
    several: tuple[DeviceId, ...] = ()
    loose: Any = None
    made: dict[str, Secret] = attrs.field(factory=dict)


def _device(**fields: object) -> Device:
    page = {"devices": [{"accountName": "first"}, fields, {"accountName": "last"}], "hasMoreData": False}
    found = load(orjson.dumps(page), AccountDeviceListResult)
    assert [one.account_name for one in found.devices[::2]] == ["first", "last"]
    return found.devices[1]


def test_a_date_that_cannot_be_read_is_none_and_its_string_is_kept() -> None:
    device = _device(lastConnectionDate="soon", createdAt="2026-01-31T12:00:00Z", lastActivationDate="never")
    assert (device.last_connection_date, device.last_activation_date) == (None, None)
    assert device.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert device.unreadable == {"last_connection_date": "soon", "last_activation_date": "never"}


def test_a_model_with_valid_dates_has_nothing_unreadable() -> None:
    assert _device(createdAt="10/15/2021 04:49:35").unreadable == {}
    assert Device().unreadable == {}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda device: pickle.loads(pickle.dumps(device))])
def test_a_copy_keeps_the_string_of_an_unreadable_date(duplicate: Any) -> None:
    device = _device(accountName="x", lastConnectionDate="soon")
    assert duplicate(device) == device
    assert duplicate(device).unreadable == {"last_connection_date": "soon"}


@pytest.mark.parametrize("value", [5, True, [], {}])
def test_a_date_of_another_type_is_an_error_at_its_path(value: object) -> None:
    with pytest.raises(Mismatch) as caught:
        _device(lastConnectionDate=value)
    assert caught.value.path == "devices[1].lastConnectionDate"


def test_identifiers_in_requests_are_strict() -> None:
    with pytest.raises(Mismatch, match="expected a string, found null"):
        load(b'{"deviceIds": [{"id": null, "kind": "imei"}]}', DevicePrlListRequest)


def test_dates_in_requests_are_strict() -> None:
    with pytest.raises(Mismatch, match="expected a time stamp"):
        load(b'{"earliest": "soon"}', AccountDeviceListRequest)


def test_an_error_next_to_an_unreadable_date_is_the_one_reported() -> None:
    with pytest.raises(Mismatch) as caught:
        _device(lastConnectionDate="soon", connected="yes")
    assert caught.value.path == "devices[1].connected"


@pytest.mark.parametrize("field", [{"key": "CustomField1"}, {"key": "CustomField1", "value": None}])
def test_a_custom_field_without_a_value_is_read_as_empty(field: object) -> None:
    assert _device(customFields=[field]).custom_fields == (CustomField(key="CustomField1", value=""),)


def test_an_identifier_without_an_id_is_dropped_and_the_others_are_kept() -> None:
    imei = {"id": "990013907835573", "kind": "imei"}
    device = _device(deviceIds=[{"id": None, "kind": "mdn"}, imei])
    assert device.device_ids == (DeviceId.imei("990013907835573"),)


def test_leads_that_are_null_are_none_and_missing_leads_are_an_error() -> None:
    assert load(b'{"leads": null}', AccountLeadsResult).leads == ()
    with pytest.raises(Mismatch) as caught:
        load(b"{}", AccountLeadsResult)
    assert caught.value.path == "leads"


@pytest.mark.parametrize("page", [{"hasMoreData": False}, {"hasMoreData": False, "devices": None}])
def test_a_page_without_devices_is_empty_if_the_platform_says_that_no_more_follow(page: object) -> None:
    assert load(orjson.dumps(page), AccountDeviceListResult).devices == ()


@pytest.mark.parametrize("page", [{}, {"hasMoreData": True}, {"hasMoreData": None}, {"devices": None}])
def test_an_answer_without_devices_or_more_flag_is_an_error(page: object) -> None:
    with pytest.raises(Mismatch) as caught:
        load(orjson.dumps(page), AccountDeviceListResult)
    assert caught.value.path == "devices"


def test_an_account_is_read_in_both_published_forms() -> None:
    objects = {
        "carriers": [{"carriers": "Verizon"}, "Other"],
        "features": [{"features": "eUICC"}],
        "servicePlans": [{"code": "a", "sizeKb": "1024"}, {"code": "b", "sizeKb": 5}],
    }
    account = load(orjson.dumps(objects), Account)
    assert (account.carriers, account.features) == (("Verizon", "Other"), ("eUICC",))
    assert [plan.size_kb for plan in account.service_plans] == [1024, 5]


@pytest.mark.parametrize("odd", [{"carriers": [{"name": "x"}]}, {"servicePlans": [{"sizeKb": "1.5"}]}])
def test_an_unknown_form_of_an_account_is_an_error(odd: object) -> None:
    with pytest.raises(Mismatch):
        load(orjson.dumps(odd), Account)


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one]])
@pytest.mark.parametrize("name", ["subRequests", "subrequests"])
def test_the_identifiers_of_a_sub_request_are_read_as_an_object_or_a_list(name: str, wrap: Any) -> None:
    body = {name: [{"ids": wrap({"id": "89141390780800784259", "kind": "iccid"}), "status": "Success"}]}
    (found,) = load(orjson.dumps(body), StatusResponse).succeeded
    assert found.ids == (DeviceId.iccid("89141390780800784259"),)


def test_to_dict_has_plain_json_under_the_platforms_names_and_no_secret() -> None:
    model = Shown(
        name="n",
        secret=Secret("p-hidden"),
        moment=datetime(2026, 1, 31, 12, tzinfo=UTC),
        several=(DeviceId.imei("990013907835573"),),
        loose=[Secret("p-hidden"), {"a": Secret("p-hidden")}],
        made={"k": Secret("p-hidden")},
    )
    stars = "**********"
    assert model.to_dict() == {
        "name": "n",
        "secret": stars,
        "moment": "2026-01-31T12:00:00Z",
        "several": [{"id": "990013907835573", "kind": "imei"}],
        "loose": [stars, {"a": stars}],
        "made": {"k": stars},
    }
    assert json.loads(model.to_json()) == model.to_dict()


def test_to_dict_omits_defaults_and_keeps_the_string_of_an_unreadable_date() -> None:
    assert Shown(name="n").to_dict() == {"name": "n"}
    assert load(b'{"name": "n", "moment": "soon"}', Shown).to_dict() == {"name": "n", "moment": "soon"}


def test_to_dict_of_a_page_of_devices_equals_the_written_json() -> None:
    device = _device(accountName="x", lastConnectionDate="2026-01-31T12:00:00Z", deviceIds=[{"id": "1", "kind": "mdn"}])
    assert device.to_dict() == orjson.loads(dump(device))
