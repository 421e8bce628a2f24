"""Reading callback messages."""

from __future__ import annotations

import contextlib
import copy
import pickle
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async import DeviceId, errors
from thingspace_async.callbacks import messages
from thingspace_async.callbacks.messages import (
    ActivateResult,
    ChangeIdentifierResult,
    DeactivateResult,
    DeviceServiceResult,
    DiagnosticsMessage,
    ExternalProvisioningChange,
    LocationMessage,
    Message,
    MessageStatus,
    NiddConfiguration,
    NiddDelivery,
    NiddMessage,
    PrlInformation,
    ProfileResult,
    PromoChange,
    PromoUsageResult,
    ReachabilityMessage,
    RequestResult,
    RequestSummary,
    RestoreResult,
    ResumeNotice,
    SmsDelivery,
    SmsReceived,
    SmsSent,
    SoftwareMessage,
    StateResult,
    SuspendResult,
    SuspensionStatus,
    UnknownMessage,
    UsageResult,
    parse,
)

ENVELOPE: dict[str, Any] = {
    "username": "fleet",
    "password": "hunter2",
    "requestId": "595f5c44",
    "deviceIds": [{"id": "990003420535573", "kind": "Imei"}],
    "callbackCount": 1,
    "maxCallbackThreshold": 4,
}
IMEI = DeviceId.imei("990003420535573")
SUCCESS = {**ENVELOPE, "status": "Success"}
FAULT = {"faultcode": "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "faultstring": "already active"}


def read(body: object, service: str | None = None) -> Message:
    return parse(orjson.dumps(body), service=service)


# What is no message


@pytest.mark.parametrize(
    "body", [b"", b" ", b"<html></html>", b"[]", b'"text"', b"1", b"null", b"\xff", b'{"a":1', "\ud800", b"{" * 3000]
)
def test_what_is_no_json_object_is_refused_with_one_clear_error(body: bytes | str) -> None:
    with pytest.raises(errors.MessageUnreadable, match="callback message must be"):
        parse(body)


def test_an_unreadable_message_is_an_error_of_ours_and_a_value_error_that_shows_nothing_of_it() -> None:
    with pytest.raises(errors.ThingSpaceError) as caught:
        parse(b'{"password":"hunter2"')
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_would_be_kept_but_is_nested_too_deeply_is_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    deep = f"{opening * 500}{'' if opening == '[' else '1'}{closing * 500}"
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"news": {deep}}}')
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"status": "Failed", "faultResponse": {{"faultcode": "A", "detail": {deep}}}}}')
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"txid": "1", "news": {deep}}}')


def test_what_is_nested_as_deeply_as_allowed_can_be_shown_copied_and_pickled() -> None:
    message = parse('{"a":' * 32 + "1" + "}" * 32)
    assert isinstance(message, UnknownMessage)
    assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == message
    assert repr(message)


# Any message at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "requestId",
        "deviceIds",
        "status",
        "faultResponse",
        "comment",
        "callbackCount",
        "maxCallbackThreshold",
        "deviceResponse",
        "niddResponse",
        "activateResponse",
        "suspendResponse",
        "usageResponse",
        "smsMessage",
        "summary",
        "niddMONotificationResponse",
        "txid",
        "transactionID",
        "pd",
        "error",
        "firmwareList",
        "upgradeScheduled",
        "promoChange",
        "externalProvisioningChange",
        "username",
        "Password",
        "device",
        "id",
        "kind",
        "faultcode",
        "detail",
        "*",
        "deviceResponse.deviceIds",
        "DeviceResponse",
        "ActivateResponse",
    ]
)
SERVICES = (
    st.none() | st.text() | st.sampled_from(["CarrierService", "Location", "DeviceUsage", "StateService", "Fota"])
)
MESSAGES = st.dictionaries(
    NAMES | st.text(),
    st.recursive(JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4)),
    max_size=6,
)


@given(MESSAGES, SERVICES)
def test_any_object_is_a_message_or_nested_too_deeply(body: dict[str, Any], service: str | None) -> None:
    message = read(body, service)
    assert isinstance(message, Message)
    assert isinstance(message.failed, bool)
    assert repr(message)


@given(st.binary() | st.text())
def test_any_text_is_a_message_or_unreadable(body: bytes | str) -> None:
    with contextlib.suppress(errors.MessageUnreadable):
        assert isinstance(parse(body), Message)


@given(MESSAGES, SERVICES, st.sampled_from(["username", "password", "Password", "USERNAME"]))
def test_no_message_holds_the_listeners_credentials(body: dict[str, Any], service: str | None, name: str) -> None:
    assert "hunter2-of-the-listener" not in repr(read({**body, name: "hunter2-of-the-listener"}, service))


# What all messages have


def test_a_failure_tells_its_fault_and_the_code_without_the_service() -> None:
    message = read({**ENVELOPE, "faultResponse": FAULT, "status": "Failed"})
    assert type(message) is RequestResult
    assert message.failed
    assert message.status is MessageStatus.FAILED
    assert message.fault is not None
    assert message.fault.code == "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive"
    assert message.fault.short_code == "REQUEST_FAILED.DeviceAlreadyActive"
    assert message.fault.message == "already active"
    assert (message.request_id, message.device_ids) == ("595f5c44", (IMEI,))
    assert (message.attempt, message.most_attempts) == (1, 4)
    assert message.details == {}


@pytest.mark.parametrize(("code", "short"), [(None, None), ("A.B", "A.B"), ("Service", "Service"), ("XService.B", "B")])
def test_a_code_that_names_no_service_stays_whole(code: str | None, short: str | None) -> None:
    assert messages.Fault(code=code).short_code == short


@pytest.mark.parametrize("status", ["Failed", "FAILED", "failure", "DeliveryFailed", "configfailed"])
def test_a_status_tells_failure_in_any_case(status: str) -> None:
    assert read({**ENVELOPE, "status": status}).failed


@pytest.mark.parametrize("status", ["success", "Pending", "Queued", "Warning", "Something new"])
def test_other_statuses_are_no_failures_and_those_that_are_not_known_are_kept(status: str) -> None:
    message = read({**ENVELOPE, "status": status})
    assert not message.failed
    assert message.status is not None
    assert message.status.value.casefold() == status.casefold()


def test_a_kind_of_identifier_is_found_in_any_case() -> None:
    assert read(SUCCESS).device_ids == (IMEI,)
    assert read(SUCCESS).identifier("IMEI") == "990003420535573"
    assert read(SUCCESS).identifier("mdn") is None


def test_a_missing_opening_brace_is_put_back() -> None:
    whole = orjson.dumps(SUCCESS)
    assert parse(whole[1:]) == parse(whole[1:].decode()) == parse(whole.decode()) == parse(whole)


def test_members_may_be_written_in_letters_of_any_case() -> None:
    told = {"DEVICEIDS": [{"ID": "3475550100", "Kind": "mdn"}], "ServicePlan": "M2M_4G"}
    message = read({"RequestId": "1", "DeviceResponse": {"ActivateResponse": told}, "Status": "success"})
    assert type(message) is ActivateResult
    assert (message.request_id, message.status, message.service_plan) == ("1", MessageStatus.SUCCESS, "M2M_4G")
    assert message.identifier("mdn") == "3475550100"


@pytest.mark.parametrize("empty", [None, {}])
def test_a_result_without_a_response_is_a_plain_one(empty: object) -> None:
    message = read({**SUCCESS, "deviceResponse": empty, "faultResponse": None, "comment": ""}, "CarrierService")
    assert type(message) is RequestResult
    assert not message.failed
    assert message.details == {}


def test_a_result_of_an_operation_that_is_not_known_keeps_its_response() -> None:
    message = read({**SUCCESS, "deviceResponse": {"newResponse": {"a": 1}}})
    assert type(message) is RequestResult
    assert message.details == {"deviceResponse": {"newResponse": {"a": 1}}}


def test_responses_that_are_null_beside_the_one_are_passed_over() -> None:
    responses = {"activateResponse": None, "restoreResponse": {"restored": "true"}}
    assert type(read({**SUCCESS, "deviceResponse": responses})) is RestoreResult


# What is not known


def test_an_unknown_message_is_kept_whole_but_for_the_credentials() -> None:
    body = {**ENVELOPE, "news": {"a": [1, {"b": None}]}}
    message = read(body, "AlertService")
    assert type(message) is UnknownMessage
    assert message.body == {name: body[name] for name in body if name not in ("username", "password")}
    assert (message.request_id, message.device_ids, message.attempt) == ("595f5c44", (IMEI,), 1)
    assert not message.failed


def test_a_message_that_has_not_the_form_of_its_kind_is_kept_whole_with_its_request_status_and_fault() -> None:
    odd = {"activateResponse": {"featureCodes": "75802"}}
    ids = [{"kind": "imsi"}, {"id": "990003420535573", "kind": "imei"}, 7]
    body = {**SUCCESS, "deviceIds": ids, "deviceResponse": odd, "faultResponse": FAULT, "callbackCount": "1"}
    message = read(body)
    assert type(message) is UnknownMessage
    assert message.body["deviceResponse"] == odd
    assert message.body["deviceIds"] == ids
    assert (message.request_id, message.device_ids, message.attempt) == ("595f5c44", (IMEI,), None)
    assert message.status is MessageStatus.SUCCESS
    assert message.fault is not None
    assert message.failed


def test_what_is_not_of_the_services_form_is_unknown_rather_than_an_empty_message_of_it() -> None:
    assert type(read({"news": 1}, "DeviceUsage")) is UnknownMessage
    assert type(read({}, None)) is UnknownMessage


# Each kind

DEVICE_RESPONSES: dict[str, tuple[type[Message], Any, dict[str, object]]] = {
    "activateResponse": (
        ActivateResult,
        {"state": "active", "servicePlan": "M2M_4G", "ipAddress": "10.0.0.1", "featureCodes": ["75802"], "more": 1},
        {"state": "active", "service_plan": "M2M_4G", "ip_address": "10.0.0.1", "feature_codes": ("75802",)},
    ),
    "deactivateResponse": (DeactivateResult, {"deactivated": True}, {"deactivated": True}),
    "suspendResponse": (
        SuspendResult,
        {
            "expectedResumeDate": "2026-04-15",
            "maxSuspendDaysAllowed": "90",
            "numDaysSuspendAllowedCurrent12Months": 170,
            "numDaysSuspendedLast12Months": 10,
        },
        {
            "expected_resume_date": "2026-04-15",
            "max_suspend_days_allowed": "90",
            "num_days_suspend_allowed_current_12_months": 170,
            "num_days_suspended_last_12_months": 10,
        },
    ),
    "restoreResponse": (RestoreResult, {"restored": "true"}, {"restored": "true"}),
    "changeIdentifierResponse": (ChangeIdentifierResult, {"servicePlan": "M2M_4G"}, {"service_plan": "M2M_4G"}),
    "prlInformationResponse": (PrlInformation, {"prlVersion": "52001"}, {"prl_version": "52001"}),
    "smsDeliveryResponse": (SmsDelivery, {"confirmation": "Message received"}, {"confirmation": "Message received"}),
}


@pytest.mark.parametrize("member", DEVICE_RESPONSES)
def test_a_response_is_told_by_its_member(member: str) -> None:
    kind, content, expected = DEVICE_RESPONSES[member]
    message = read({**SUCCESS, "deviceResponse": {member: content}}, "CarrierService")
    assert type(message) is kind
    assert {name: getattr(message, name) for name in expected} == expected
    assert (message.request_id, message.device_ids, message.status) == ("595f5c44", (IMEI,), MessageStatus.SUCCESS)


@pytest.mark.parametrize("member", DEVICE_RESPONSES)
def test_a_response_with_nothing_in_it_is_of_its_kind_all_the_same(member: str) -> None:
    assert type(read({**SUCCESS, "deviceResponse": {member: {}}})) is DEVICE_RESPONSES[member][0]


@pytest.mark.parametrize("member", ["prlInformationResponse", "smsDeliveryResponse"])
def test_a_fault_within_a_response_is_the_messages(member: str) -> None:
    message = read({**ENVELOPE, "deviceResponse": {member: {"faultResponse": FAULT}}, "faultResponse": None})
    assert message.failed
    assert message.fault is not None
    assert message.fault.short_code == "REQUEST_FAILED.DeviceAlreadyActive"


def test_an_identifier_that_was_changed_is_found_by_its_new_value() -> None:
    told = {"deviceIds": [{"id": "990003420535999", "kind": "imei"}]}
    message = read({**SUCCESS, "deviceResponse": {"changeIdentifierResponse": told}})
    assert isinstance(message, ChangeIdentifierResult)
    assert message.device_ids == (IMEI,)
    assert message.reported_ids == (DeviceId.imei("990003420535999"),)
    assert message.identifier("imei") == "990003420535999"


def test_what_a_device_logs_in_with_is_not_shown() -> None:
    message = read({**SUCCESS, "deviceResponse": {"activateResponse": {"deviceCredential": {"password": "hunter2"}}}})
    assert isinstance(message, ActivateResult)
    assert "hunter2" not in repr(message)
    assert message.device_credential is not None
    secret = message.device_credential["password"]
    assert secret is not None
    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize("wrapped", [True, False])
def test_usage_is_read_for_each_device_and_keeps_what_is_not_documented(*, wrapped: bool) -> None:
    usage = {"usageResponse": [{"deviceIds": [{"id": "1", "kind": "eid"}], "bytesUsed": 7, "roaming": {"mb": 1}}]}
    message = read({**ENVELOPE, "deviceResponse": usage} if wrapped else {**ENVELOPE, **usage})
    assert isinstance(message, UsageResult)
    (device,) = message.usage
    assert (device.device_ids, device.bytes_used) == ((DeviceId.eid("1"),), 7)
    assert device.details == {"roaming": {"mb": 1}}


@pytest.mark.parametrize("usage", [[7], 7, [{"deviceIds": 7}]])
def test_usage_in_another_form_is_kept_whole(usage: object) -> None:
    assert type(read({**ENVELOPE, "deviceResponse": {"usageResponse": usage}})) is UnknownMessage


def test_the_service_tells_what_the_member_leaves_open() -> None:
    suspended = {**SUCCESS, "deviceResponse": {"suspendResponse": {"maxSuspendDaysAllowed": 90}}}
    assert type(read(suspended, "DeviceSuspensionStatus")) is SuspensionStatus
    sms = {**SUCCESS, "deviceResponse": {"smsDeliveryResponse": {"confirmation": "sent"}}}
    assert type(read(sms, "enhancedconnectivityservice")) is SmsSent
    assert type(read(sms, "SMSDeliveryConfirmation")) is SmsDelivery


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("StateService", StateResult),
        ("DeviceService", DeviceServiceResult),
        ("DeviceProfileService", ProfileResult),
        ("DevicePromoUsage", PromoUsageResult),
        ("DiagnosticsService", ReachabilityMessage),
    ],
)
def test_what_only_the_service_tells_keeps_all_that_is_not_documented(service: str, kind: type[Message]) -> None:
    body = {**SUCCESS, "deviceResponse": {"deviceFound": True}, "more": [1], "nothing": None}
    message = read(body, service)
    assert type(message) is kind
    assert isinstance(message, messages.DetailedMessage)
    assert message.details == {"deviceResponse": {"deviceFound": True}, "more": [1]}


def test_an_sms_from_a_device_is_told_by_its_text() -> None:
    message = read({"username": "", "password": "", "deviceIds": ENVELOPE["deviceIds"], "smsMessage": "23.5 C"})
    assert isinstance(message, SmsReceived)
    assert (message.text, message.request_id, message.device_ids) == ("23.5 C", None, (IMEI,))


def test_a_summary_tells_how_many_devices_a_request_had() -> None:
    message = read({**ENVELOPE, "deviceIds": None, "summary": {"devicesRequested": 25_000}})
    assert isinstance(message, RequestSummary)
    assert message.devices_requested == 25_000


def test_data_from_a_device_is_read_with_all_its_identifiers() -> None:
    told = {"accountName": "0000123456-00001", "message": "QUJD", "deviceIds": [{"id": "9998501090", "kind": "MDN"}]}
    message = read({**ENVELOPE, "niddResponse": {"niddMONotificationResponse": told}}, "NiddService")
    assert isinstance(message, NiddMessage)
    assert (message.data, message.account_name) == (b"ABC", "0000123456-00001")
    assert (message.identifier("imei"), message.identifier("mdn")) == ("990003420535573", "9998501090")
    with pytest.raises(ValueError, match="Only base64 data"):
        _ = NiddMessage(message="!").data


@pytest.mark.parametrize(("status", "failed"), [("Delivered", False), ("Queued", False), ("DeliveryFailed", True)])
def test_what_became_of_data_to_a_device_is_in_the_status(status: str, *, failed: bool) -> None:
    told = {"niddMTDeliveryResponse": {"reason": "Buffered, device not reachable"}}
    message = read({**ENVELOPE, "niddResponse": told, "status": status})
    assert isinstance(message, NiddDelivery)
    assert (message.reason, message.failed) == ("Buffered, device not reachable", failed)


def test_a_configuration_that_names_its_device_only_within_names_it() -> None:
    told = {"niddConfigResponse": {"reason": "Not CatM or NBIoT Device", "deviceIds": ENVELOPE["deviceIds"]}}
    message = read({"requestId": "1", "niddResponse": told, "status": "ConfigFailed"})
    assert isinstance(message, NiddConfiguration)
    assert (message.device_ids, message.reported_ids, message.failed) == ((IMEI,), (), True)


@pytest.mark.parametrize("service", [None, "ResumeTrackingNotification"])
def test_a_notice_of_resumption_says_when(service: str | None) -> None:
    message = read({**ENVELOPE, "comment": "Device will be auto resumed on - 3/15/2017 12:00:00 AM"}, service)
    assert isinstance(message, ResumeNotice)
    assert message.resumes == datetime(2017, 3, 15)  # noqa: DTZ001 - the platform tells no zone


@pytest.mark.parametrize("comment", ["soon", "Device will be auto resumed on - 13/45/2017 12:00:00 AM", None])
def test_a_notice_in_other_words_says_not_when(comment: str | None) -> None:
    message = read({**ENVELOPE, "comment": comment}, "ResumeTrackingNotification")
    assert isinstance(message, ResumeNotice)
    assert message.resumes is None


@pytest.mark.parametrize("service", [None, "PromoChanges"])
def test_a_change_of_promotion_is_read(service: str | None) -> None:
    change = {"change": "FREE30", "changeDate": "2026-01-15T00:00:00Z"}
    message = read({**ENVELOPE, "promoChange": change} if service is None else {**ENVELOPE, **change}, service)
    assert isinstance(message, PromoChange)
    assert (message.change, message.change_date) == ("FREE30", "2026-01-15T00:00:00Z")


def test_a_change_by_another_way_is_read_and_keeps_the_device_as_it_is() -> None:
    device = {"accountName": "0000123456-00001", "carrierInformation": {"state": "active"}}
    change = {"source": "Portal", "change": "Activate", "deviceInfo": device}
    message = read({"ExternalProvisioningChange": change})
    assert isinstance(message, ExternalProvisioningChange)
    assert (message.source, message.change, message.device_ids) == ("Portal", "Activate", ())
    assert message.details["deviceInfo"] == device


def test_a_location_is_told_by_its_transaction() -> None:
    place = {"time": "20260115120000", "utcoffset": "0", "x": "33.6", "y": "-84.3", "radius": "20", "qos": True}
    message = read({"txid": "2c90bd28", "msid": "7892345678", "pd": place, "cache": 1})
    assert isinstance(message, LocationMessage)
    assert (message.request_id, message.msid, message.failed) == ("2c90bd28", "7892345678", False)
    assert message.position is not None
    assert (message.position.x, message.position.y, message.position.utc_offset) == ("33.6", "-84.3", "0")
    assert message.details == {"cache": 1}


def test_a_device_that_could_not_be_located_has_failed() -> None:
    message = read({"requestId": "1", "error": {"type": "POSITION METHOD FAILURE", "info": "x"}}, "DeviceLocation")
    assert isinstance(message, LocationMessage)
    assert (message.request_id, message.failed) == ("1", True)
    assert message.error is not None
    assert message.error.type == "POSITION METHOD FAILURE"


@pytest.mark.parametrize("name", ["transactionID", "transactionId"])
def test_diagnostics_are_told_by_their_transaction(name: str) -> None:
    found = [{"name": "SIGNAL_STRENGTH", "value": "-77"}]
    message = read({name: "1", "device": {"id": "990003420535573", "kind": "IMEI"}, "attributes": found})
    assert isinstance(message, DiagnosticsMessage)
    assert (message.request_id, message.device, message.details) == ("1", IMEI, {"attributes": found})


def test_word_of_firmware_is_read_with_its_empty_members() -> None:
    firmware = {"firmwareName": "A", "fromVersion": "1", "toVersion": "2"}
    body = {"accountName": "0000123456-00001", "type": "upgradeScheduled", "password": "hunter2"}
    message = read({**body, "firmwareList": [firmware], "upgradeScheduled": {"upgradeId": "u1", "startDate": "d"}})
    assert isinstance(message, SoftwareMessage)
    assert (message.type, message.firmware_list[0].to_version) == ("upgradeScheduled", "2")
    assert message.upgrade_scheduled is not None
    assert message.upgrade_scheduled.upgrade_id == "u1"
    progress = read({**body, "firmwareList": [], "upgradeScheduled": {}, "upgradeProgress": {"upgradeId": "u1"}})
    assert isinstance(progress, SoftwareMessage)
    assert progress.details == {"upgradeProgress": {"upgradeId": "u1"}}


def test_every_class_of_message_is_public_and_pickles() -> None:
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)]
    assert len(kinds) > 25
    for kind in kinds:
        assert kind.__name__ in messages.__all__
        assert pickle.loads(pickle.dumps(kind(request_id="1"))) == kind(request_id="1")
