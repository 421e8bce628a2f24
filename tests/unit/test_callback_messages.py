"""Reading callback messages."""

from __future__ import annotations

import contextlib
import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async import DeviceId, errors
from thingspace_async._core import codec
from thingspace_async.callbacks import messages
from thingspace_async.callbacks.messages import (
    STREAMED,
    ActivateResult,
    Alert,
    ChangeIdentifierResult,
    ConnectionPlan,
    DeactivateResult,
    DeviceExperience,
    DeviceExperienceHistory,
    DeviceServiceResult,
    DiagnosticsMessage,
    EventMessage,
    ExternalProvisioningChange,
    IntelligenceMessage,
    LocationMessage,
    Message,
    MessageStatus,
    NetworkConditions,
    NiddConfiguration,
    NiddDelivery,
    NiddMessage,
    PrlInformation,
    ProfileResult,
    PromoChange,
    PromoUsageResult,
    QosMessage,
    ReachabilityMessage,
    RequestResult,
    RequestSummary,
    RestoreResult,
    ResumeNotice,
    SitePerformance,
    SiteProximity,
    SmsDelivery,
    SmsReceived,
    SmsSent,
    SoftwareMessage,
    StateResult,
    SuspendResult,
    SuspensionStatus,
    UnknownMessage,
    UsageResult,
    WirelessCoverage,
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


# Invalid messages


@pytest.mark.parametrize(
    "body", [b"", b" ", b"<html></html>", b"[]", b'"text"', b"1", b"null", b"\xff", b'{"a":1', "\ud800", b"{" * 3000]
)
def test_anything_but_a_json_object_is_refused_with_one_clear_error(body: bytes | str) -> None:
    with pytest.raises(errors.MessageUnreadable, match="callback message must be"):
        parse(body)


def test_an_unreadable_message_raises_an_error_of_ours_and_a_value_error_without_its_content() -> None:
    with pytest.raises(errors.ThingSpaceError) as caught:
        parse(b'{"password":"hunter2"')
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_message_nested_too_deeply_is_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    deep = f"{opening * 500}{'' if opening == '[' else '1'}{closing * 500}"
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"news": {deep}}}')
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"status": "Failed", "faultResponse": {{"faultcode": "A", "detail": {deep}}}}}')
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        parse(f'{{"txid": "1", "news": {deep}}}')


def test_a_message_of_the_greatest_depth_can_be_shown_copied_and_pickled() -> None:
    message = parse('{"a":' * 32 + "1" + "}" * 32)
    assert isinstance(message, UnknownMessage)
    assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == message
    assert repr(message)


# Arbitrary messages

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
        "intelligenceResponse",
        "networkConditions",
        "deviceExperienceScoreHistory",
        "coordinates",
        "scores",
        "deviceResponse.deviceIds",
        "DeviceResponse",
        "ActivateResponse",
    ]
)
SERVICES = (
    st.none()
    | st.text()
    | st.sampled_from(
        ["CarrierService", "Location", "DeviceUsage", "StateService", "Fota", "IntelligenceService"],
    )
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
def test_any_string_is_a_message_or_unreadable(body: bytes | str) -> None:
    with contextlib.suppress(errors.MessageUnreadable):
        assert isinstance(parse(body), Message)


@given(MESSAGES, SERVICES, st.sampled_from(["username", "password", "Password", "USERNAME"]))
def test_no_message_holds_the_listeners_credentials(body: dict[str, Any], service: str | None, name: str) -> None:
    assert "hunter2-of-the-listener" not in repr(read({**body, name: "hunter2-of-the-listener"}, service))


# Fields of all messages


def test_a_failure_has_its_fault_and_the_code_without_the_service() -> None:
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
def test_a_code_without_a_service_is_unchanged(code: str | None, short: str | None) -> None:
    assert messages.Fault(code=code).short_code == short


@pytest.mark.parametrize("status", ["Failed", "FAILED", "failure", "DeliveryFailed", "configfailed"])
def test_a_failure_status_is_recognised_in_any_case(status: str) -> None:
    assert read({**ENVELOPE, "status": status}).failed


@pytest.mark.parametrize("status", ["success", "Pending", "Queued", "Warning", "Something new"])
def test_other_statuses_are_not_failures_and_unknown_ones_are_kept(status: str) -> None:
    message = read({**ENVELOPE, "status": status})
    assert not message.failed
    assert message.status is not None
    assert message.status.value.casefold() == status.casefold()


def test_a_kind_of_identifier_is_found_in_any_case() -> None:
    assert read(SUCCESS).device_ids == (IMEI,)
    assert read(SUCCESS).identifier("IMEI") == "990003420535573"
    assert read(SUCCESS).identifier("mdn") is None


def test_a_missing_opening_brace_is_added() -> None:
    whole = orjson.dumps(SUCCESS)
    assert parse(whole[1:]) == parse(whole[1:].decode()) == parse(whole.decode()) == parse(whole)


def test_member_names_are_read_in_any_case() -> None:
    response = {"DEVICEIDS": [{"ID": "3475550100", "Kind": "mdn"}], "ServicePlan": "M2M_4G"}
    message = read({"RequestId": "1", "DeviceResponse": {"ActivateResponse": response}, "Status": "success"})
    assert type(message) is ActivateResult
    assert (message.request_id, message.status, message.service_plan) == ("1", MessageStatus.SUCCESS, "M2M_4G")
    assert message.identifier("mdn") == "3475550100"


@pytest.mark.parametrize("empty", [None, {}])
def test_a_result_without_a_response_is_a_plain_result(empty: object) -> None:
    message = read({**SUCCESS, "deviceResponse": empty, "faultResponse": None, "comment": ""}, "CarrierService")
    assert type(message) is RequestResult
    assert not message.failed
    assert message.details == {}


def test_a_result_of_an_unknown_operation_keeps_its_response() -> None:
    message = read({**SUCCESS, "deviceResponse": {"newResponse": {"a": 1}}})
    assert type(message) is RequestResult
    assert message.details == {"deviceResponse": {"newResponse": {"a": 1}}}


def test_null_responses_next_to_the_real_one_are_ignored() -> None:
    responses = {"activateResponse": None, "restoreResponse": {"restored": "true"}}
    assert type(read({**SUCCESS, "deviceResponse": responses})) is RestoreResult


# Unknown messages


def test_an_unknown_message_is_kept_whole_except_for_the_credentials() -> None:
    body = {**ENVELOPE, "news": {"a": [1, {"b": None}]}}
    message = read(body, "NetworkEventService")
    assert type(message) is UnknownMessage
    assert message.body == {name: body[name] for name in body if name not in ("username", "password")}
    assert (message.request_id, message.device_ids, message.attempt) == ("595f5c44", (IMEI,), 1)
    assert not message.failed


def test_a_message_not_in_the_form_of_its_kind_is_kept_with_its_request_status_and_fault() -> None:
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


def test_a_message_not_in_the_form_of_its_service_is_unknown_rather_than_empty() -> None:
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
def test_a_response_is_recognised_by_its_member(member: str) -> None:
    kind, content, expected = DEVICE_RESPONSES[member]
    message = read({**SUCCESS, "deviceResponse": {member: content}}, "CarrierService")
    assert type(message) is kind
    assert {name: getattr(message, name) for name in expected} == expected
    assert (message.request_id, message.device_ids, message.status) == ("595f5c44", (IMEI,), MessageStatus.SUCCESS)


@pytest.mark.parametrize("member", DEVICE_RESPONSES)
def test_an_empty_response_still_has_its_kind(member: str) -> None:
    assert type(read({**SUCCESS, "deviceResponse": {member: {}}})) is DEVICE_RESPONSES[member][0]


@pytest.mark.parametrize("member", ["prlInformationResponse", "smsDeliveryResponse"])
def test_a_fault_inside_a_response_is_the_fault_of_the_message(member: str) -> None:
    message = read({**ENVELOPE, "deviceResponse": {member: {"faultResponse": FAULT}}, "faultResponse": None})
    assert message.failed
    assert message.fault is not None
    assert message.fault.short_code == "REQUEST_FAILED.DeviceAlreadyActive"


def test_a_changed_identifier_has_its_new_value() -> None:
    response = {"deviceIds": [{"id": "990003420535999", "kind": "imei"}]}
    message = read({**SUCCESS, "deviceResponse": {"changeIdentifierResponse": response}})
    assert isinstance(message, ChangeIdentifierResult)
    assert message.device_ids == (IMEI,)
    assert message.reported_ids == (DeviceId.imei("990003420535999"),)
    assert message.identifier("imei") == "990003420535999"


def test_credentials_of_a_device_are_not_shown() -> None:
    message = read({**SUCCESS, "deviceResponse": {"activateResponse": {"deviceCredential": {"password": "hunter2"}}}})
    assert isinstance(message, ActivateResult)
    assert "hunter2" not in repr(message)
    assert message.device_credential is not None
    secret = message.device_credential["password"]
    assert secret is not None
    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize("wrapped", [True, False])
def test_usage_is_read_for_each_device_and_keeps_undocumented_members(*, wrapped: bool) -> None:
    usage = {"usageResponse": [{"deviceIds": [{"id": "1", "kind": "eid"}], "bytesUsed": 7, "roaming": {"mb": 1}}]}
    message = read({**ENVELOPE, "deviceResponse": usage} if wrapped else {**ENVELOPE, **usage})
    assert isinstance(message, UsageResult)
    (device,) = message.usage
    assert (device.device_ids, device.bytes_used) == ((codec.load(b'{"id":"1","kind":"eid"}', DeviceId),), 7)
    assert device.details == {"roaming": {"mb": 1}}


@pytest.mark.parametrize("service", ["QoS", None])
def test_a_change_of_the_quality_of_service_names_its_subscription_instead_of_devices(service: str | None) -> None:
    event = {"qosSubscriptionId": "sub-1", "qosEvent": "QoSChangeTerminated", "status": "SUCCESS"}
    message = read({"requestId": "1", "deviceResponse": {"qoS": [event, event]}}, service)
    assert isinstance(message, QosMessage)
    assert (message.subscription_ids, message.failed, message.device_ids) == (("sub-1",), False, ())
    assert message.events[0].event == "QoSChangeTerminated"


def test_a_refused_change_of_the_quality_of_service_has_failed() -> None:
    event = {"qosEvent": "QoSChangeFailed", "status": "FAILED", "reason": "device not found"}
    message = read({"requestId": "1", "deviceResponse": {"qoS": [event]}})
    assert isinstance(message, QosMessage)
    assert (message.subscription_ids, message.failed, message.events[0].reason) == ((), True, "device not found")


# Answers of the IntelligenceService

SCORES = {
    "device": [{"id": "89141390780800784259", "kind": "ICCID"}],
    "scores": [{"date": "2022-07-06", "averageScore": "50"}, {"date": "2022-07-07", "averageScore": "61"}],
}
PLACE = {"latitude": "40.7", "longitude": "-74.0"}


def answered(content: object, service: str | None = "IntelligenceService", **more: object) -> Message:
    """Read a message as on the platform's pages: without device ids and without a status."""
    return read({"username": "u", "password": "p", "requestId": "1", "intelligenceResponse": content, **more}, service)


@pytest.mark.parametrize("service", ["IntelligenceService", None])
def test_the_scores_of_a_device_are_read_by_day(service: str | None) -> None:
    message = answered({"deviceExperienceScoreHistory": SCORES}, service)
    assert isinstance(message, DeviceExperienceHistory)
    assert [(one.date, one.average_score) for one in message.scores] == [("2022-07-06", "50"), ("2022-07-07", "61")]
    assert message.reported_ids == (DeviceId.iccid("89141390780800784259"),)
    assert message.identifier("iccid") == "89141390780800784259"
    assert (message.request_id, message.device_ids, message.failed, message.details) == ("1", (), False, {})


@pytest.mark.parametrize("service", ["IntelligenceService", None])
def test_the_conditions_of_the_network_have_their_place_and_keep_all_else(service: str | None) -> None:
    message = answered({"networkConditions": {"coordinates": PLACE, "cells": [1]}, "more": 2}, service)
    assert isinstance(message, NetworkConditions)
    assert message.coordinates is not None
    assert (message.coordinates.latitude, message.coordinates.longitude) == ("40.7", "-74.0")
    assert message.details == {"cells": [1], "more": 2}


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("networkConditions", NetworkConditions),
        ("NetworkConditionsList", NetworkConditions),
        ("wirelessCoverage", WirelessCoverage),
        ("coverageResponse", WirelessCoverage),
        ("siteProximity", SiteProximity),
        ("siteRfPerformance", SitePerformance),
        ("deviceExperienceScore", DeviceExperience),
        ("deviceExperienceScoreHistory", DeviceExperienceHistory),
        ("connectionPlanner", ConnectionPlan),
        ("novelty", IntelligenceMessage),
    ],
)
@pytest.mark.parametrize("content", [{"a": [1]}, [{"a": [1]}], "text"])
def test_an_answer_is_recognised_by_a_word_in_its_member_and_loses_nothing(
    member: str, kind: type[Message], content: object
) -> None:
    message = answered({member: content, "empty": None})
    assert type(message) is kind
    assert isinstance(message, IntelligenceMessage)
    merged = isinstance(content, dict) and kind is not IntelligenceMessage
    assert message.details == (content if merged else {member: content})


@pytest.mark.parametrize("content", [[1], "text", 5])
def test_content_that_is_no_object_is_kept(content: object) -> None:
    message = answered(content)
    assert type(message) is IntelligenceMessage
    assert message.details == {"intelligenceResponse": content}


def test_a_failed_question_is_a_message_of_the_service_without_content() -> None:
    message = answered(None, status="Failed", faultResponse=FAULT)
    assert type(message) is IntelligenceMessage
    assert (message.failed, message.details) == (True, {})
    assert message.fault is not None
    assert message.fault.message == "already active"
    assert type(answered(None, None, status="Failed", faultResponse=FAULT)) is RequestResult


def test_scores_in_another_form_are_kept_whole() -> None:
    message = answered({"deviceExperienceScoreHistory": {**SCORES, "scores": {"2022-07-06": "50"}}})
    assert isinstance(message, UnknownMessage)
    assert message.body["intelligenceResponse"]["deviceExperienceScoreHistory"]["device"] == SCORES["device"]


def test_the_content_of_an_answer_holds_no_credentials_and_is_not_too_deep() -> None:
    assert "hunter2" not in repr(answered({"networkConditions": {"password": "hunter2", "a": 1}}))
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    with pytest.raises(errors.MessageUnreadable, match="nested"):
        answered({"networkConditions": {"deep": deep}})


def test_the_members_of_an_answer_are_read_in_any_case() -> None:
    message = read(
        {"RequestId": "1", "IntelligenceResponse": {"NETWORKCONDITIONS": {"Coordinates": {"LATITUDE": "1"}}}}
    )
    assert isinstance(message, NetworkConditions)
    assert message.coordinates is not None
    assert message.coordinates.latitude == "1"


@pytest.mark.parametrize("usage", [[7], 7, [{"deviceIds": 7}]])
def test_usage_in_another_form_is_kept_whole(usage: object) -> None:
    assert type(read({**ENVELOPE, "deviceResponse": {"usageResponse": usage}})) is UnknownMessage


def test_the_service_decides_where_the_member_is_ambiguous() -> None:
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
def test_a_message_recognised_by_its_service_keeps_undocumented_members(service: str, kind: type[Message]) -> None:
    body = {**SUCCESS, "deviceResponse": {"deviceFound": True}, "more": [1], "nothing": None}
    message = read(body, service)
    assert type(message) is kind
    assert isinstance(message, messages.DetailedMessage)
    assert message.details == {"deviceResponse": {"deviceFound": True}, "more": [1]}


def test_an_sms_from_a_device_is_recognised_by_its_text() -> None:
    message = read({"username": "", "password": "", "deviceIds": ENVELOPE["deviceIds"], "smsMessage": "23.5 C"})
    assert isinstance(message, SmsReceived)
    assert (message.text, message.request_id, message.device_ids) == ("23.5 C", None, (IMEI,))


def test_a_summary_has_the_number_of_devices_of_a_request() -> None:
    message = read({**ENVELOPE, "deviceIds": None, "summary": {"devicesRequested": 25_000}})
    assert isinstance(message, RequestSummary)
    assert message.devices_requested == 25_000


def test_data_from_a_device_is_read_with_all_its_identifiers() -> None:
    response = {
        "accountName": "0000123456-00001",
        "message": "QUJD",
        "deviceIds": [{"id": "9998501090", "kind": "MDN"}],
    }
    message = read({**ENVELOPE, "niddResponse": {"niddMONotificationResponse": response}}, "NiddService")
    assert isinstance(message, NiddMessage)
    assert (message.data, message.account_name) == (b"ABC", "0000123456-00001")
    assert (message.identifier("imei"), message.identifier("mdn")) == ("990003420535573", "9998501090")
    with pytest.raises(ValueError, match="Only base64 data"):
        _ = NiddMessage(message="!").data


@pytest.mark.parametrize(("status", "failed"), [("Delivered", False), ("Queued", False), ("DeliveryFailed", True)])
def test_the_outcome_of_data_to_a_device_is_in_the_status(status: str, *, failed: bool) -> None:
    response = {"niddMTDeliveryResponse": {"reason": "Buffered, device not reachable"}}
    message = read({**ENVELOPE, "niddResponse": response, "status": status})
    assert isinstance(message, NiddDelivery)
    assert (message.reason, message.failed) == ("Buffered, device not reachable", failed)


def test_a_configuration_finds_its_device_inside_the_response() -> None:
    response = {"niddConfigResponse": {"reason": "Not CatM or NBIoT Device", "deviceIds": ENVELOPE["deviceIds"]}}
    message = read({"requestId": "1", "niddResponse": response, "status": "ConfigFailed"})
    assert isinstance(message, NiddConfiguration)
    assert (message.device_ids, message.reported_ids, message.failed) == ((IMEI,), (), True)


@pytest.mark.parametrize("service", [None, "ResumeTrackingNotification"])
def test_a_notice_of_resumption_has_its_date(service: str | None) -> None:
    message = read({**ENVELOPE, "comment": "Device will be auto resumed on - 3/15/2017 12:00:00 AM"}, service)
    assert isinstance(message, ResumeNotice)
    assert message.resumes == datetime(2017, 3, 15)  # noqa: DTZ001 - the platform sends no zone


@pytest.mark.parametrize("comment", ["soon", "Device will be auto resumed on - 13/45/2017 12:00:00 AM", None])
def test_a_notice_in_other_words_has_no_date(comment: str | None) -> None:
    message = read({**ENVELOPE, "comment": comment}, "ResumeTrackingNotification")
    assert isinstance(message, ResumeNotice)
    assert message.resumes is None


@pytest.mark.parametrize("service", [None, "PromoChanges"])
def test_a_change_of_promotion_is_read(service: str | None) -> None:
    change = {"change": "FREE30", "changeDate": "2026-01-15T00:00:00Z"}
    message = read({**ENVELOPE, "promoChange": change} if service is None else {**ENVELOPE, **change}, service)
    assert isinstance(message, PromoChange)
    assert (message.change, message.change_date) == ("FREE30", "2026-01-15T00:00:00Z")


def test_a_change_by_another_channel_is_read_and_keeps_the_device_unchanged() -> None:
    device = {"accountName": "0000123456-00001", "carrierInformation": {"state": "active"}}
    change = {"source": "Portal", "change": "Activate", "deviceInfo": device}
    message = read({"ExternalProvisioningChange": change})
    assert isinstance(message, ExternalProvisioningChange)
    assert (message.source, message.change, message.device_ids) == ("Portal", "Activate", ())
    assert message.details["deviceInfo"] == device


def test_a_location_is_recognised_by_its_transaction() -> None:
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
def test_diagnostics_are_recognised_by_their_transaction(name: str) -> None:
    found = [{"name": "SIGNAL_STRENGTH", "value": "-77"}]
    message = read({name: "1", "device": {"id": "990003420535573", "kind": "IMEI"}, "attributes": found})
    assert isinstance(message, DiagnosticsMessage)
    assert (message.request_id, message.device, message.details) == ("1", IMEI, {"attributes": found})


@pytest.mark.parametrize("several", [False, True])
def test_observed_values_are_read_one_or_several(*, several: bool) -> None:
    one = {"name": "RADIO_SIGNAL_STRENGTH", "value": "-77", "createdOn": "2026-01-15T12:00:00.123Z"}
    attributes = [one, {"name": "CELL_ID", "value": 7}, "odd", {"name": 5}] if several else one
    message = read(
        {"transactionID": "1", "device": {"id": "990003420535573", "kind": "IMEI"}, "attributes": attributes}
    )
    assert isinstance(message, DiagnosticsMessage)
    found = message.values[0]
    assert (found.number, found.unit) == (-77, "dBm")
    assert found.created_on == datetime(2026, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
    assert (len(message.values), message.is_dated) == ((2, False) if several else (1, True))
    assert (message.failed, message.pending) == (False, False)


def test_a_message_of_a_restart_is_dated() -> None:
    message = read({"transactionID": "1", "status": "X", "createdOn": "2026-01-15T12:00:00Z"})
    assert isinstance(message, DiagnosticsMessage)
    assert (message.is_dated, message.values) == (True, ())


@pytest.mark.parametrize(
    ("members", "failed", "pending"),
    [
        ({"errorCode": "DEVICE_UNREACHABLE", "errorMessage": "x"}, False, True),
        ({"errorCode": "DEVICE_NOT_SUPPORT_FEATURE", "errorMessage": "x"}, True, False),
        ({"errorCode": "INTERNAL_SYSTEM_ERROR"}, True, False),
        ({"errorCode": 5}, False, False),
        ({"status": "REBOOT_QUEUED"}, False, True),
        ({"status": "REBOOT_SUCCESS"}, False, False),
        ({"status": "Failed"}, True, False),
    ],
)
def test_an_error_of_diagnostics_is_a_fault_unless_the_platform_waits_for_the_device(
    members: dict[str, Any], *, failed: bool, pending: bool
) -> None:
    message = read({"transactionID": "1", **members}, "Diagnostics")
    assert isinstance(message, DiagnosticsMessage)
    assert (message.failed, message.pending) == (failed, pending)
    if isinstance(code := members.get("errorCode"), str):
        assert message.fault is not None
        assert (message.fault.code, message.fault.message) == (code, members.get("errorMessage"))
        assert message.details == {}


def test_a_firmware_message_is_read_with_its_empty_members() -> None:
    firmware = {"firmwareName": "A", "fromVersion": "1", "toVersion": "2"}
    body = {"accountName": "0000123456-00001", "type": "upgradeScheduled", "password": "hunter2"}
    message = read({**body, "firmwareList": [firmware], "upgradeScheduled": {"upgradeId": "u1", "startDate": "d"}})
    assert isinstance(message, SoftwareMessage)
    assert (message.type, message.firmware_list[0].to_version) == ("upgradeScheduled", "2")
    assert message.upgrade_scheduled is not None
    assert message.upgrade_scheduled.upgrade_id == "u1"
    progress = read({**body, "firmwareList": [], "upgradeScheduled": {}, "upgradeProgress": {"upgradeId": "u1"}})
    assert isinstance(progress, SoftwareMessage)
    assert progress.upgrade_progress is not None
    assert (message.request_id, progress.request_id) == ("u1", "u1")


@pytest.mark.parametrize("service", ["FotaV2", "fotav3", None])
def test_a_message_about_a_campaign_names_it_and_its_devices(service: str | None) -> None:
    device = {"deviceId": "990003420535573", "status": "UpgradeFailed", "resultReason": "DownloadFailed"}
    body = {"accountName": "a", "campaignId": "c1", "status": "CampaignScheduled", "deviceList": [device], "new": 1}
    message = read(body, service)
    assert isinstance(message, SoftwareMessage)
    assert (message.request_id, message.status, message.failed) == ("c1", "CampaignScheduled", False)
    assert [(one.device_id, one.result_reason) for one in message.devices] == [("990003420535573", "DownloadFailed")]
    assert message.details == {"new": 1}


def test_a_report_of_firmware_has_the_id_of_its_request() -> None:
    message = read({"requestId": "r1", "deviceList": [{"deviceId": "9", "firmwareVersion": "2"}]}, "FotaV3")
    assert isinstance(message, SoftwareMessage)
    assert (message.request_id, message.devices[0].firmware_version) == ("r1", "2")


def test_every_class_of_message_is_public_and_pickles() -> None:
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)]
    assert len(kinds) > 25
    for kind in kinds:
        assert kind.__name__ in messages.__all__
        assert pickle.loads(pickle.dumps(kind(request_id="1"))) == kind(request_id="1")


@pytest.mark.parametrize("service", ["AlertService", "AlertsService", "alertservice"])
def test_an_alert_is_read_with_its_trigger_and_keeps_the_rest(service: str) -> None:
    alert = {"triggerId": "1", "triggerName": "Busy", "triggerCategory": "DeviceDataUsage", "threshold": "4"}
    message = read({**ENVELOPE, **alert, "thresholdUnit": "MB", "usage": 5}, service)
    assert isinstance(message, Alert)
    assert (message.trigger_id, message.threshold, message.threshold_unit) == ("1", "4", "MB")
    assert message.details == {"usage": 5}


def test_an_alert_without_a_trigger_is_recognised_by_its_service() -> None:
    message = read({**ENVELOPE, "preIMEI": "990013907835573", "postIMEI": "990013907835581"}, "AlertService")
    assert isinstance(message, Alert)
    assert (message.previous_imei, message.current_imei) == ("990013907835573", "990013907835581")


@pytest.mark.parametrize("service", [None, "Location"])
def test_an_alert_about_the_usage_of_a_service_is_recognised_by_its_trigger(service: str | None) -> None:
    alert = {"triggerId": "1", "serviceName": "Location", "thresholdValue": "90", "accountName": "0000123456-00001"}
    message = read(alert, service)
    assert isinstance(message, Alert)
    assert (message.service_name, message.threshold_value, message.details) == ("Location", "90", {})


# Events of Cloud Connector

EVENT: dict[str, Any] = {
    "action": "update",
    "createdon": "2019-02-22T04:05:26Z",
    "deviceid": "8461f530-2e31-6e87-e357-6c38251d4d01",
    "fields": {"temperature": "18.4", "items": [1, {"a": None}]},
    "id": "4521b7a7-7de1-6e68-f020-1345ef3b764a",
    "kind": "ts.event",
    "state": "update",
    "tagids": ["4d110e4f-7a7c-6b26-eaac-31cc34c6e1d4"],
    "transactionid": "864508030084997-OnBoard-c05f946c",
    "versionid": "238addb9-3657-11e9-8848-02420a951f13",
}


@pytest.mark.parametrize("service", ["CloudConnector", "Diagnostics", None])
@pytest.mark.parametrize(
    "body",
    [EVENT, {"kind": "ts.event", "action": "create", "data": EVENT, "subscription": "1"}],
    ids=["bare", "wrapped"],
)
def test_an_event_is_recognised_by_its_kind_with_or_without_its_envelope(
    body: dict[str, Any], service: str | None
) -> None:
    message = parse(orjson.dumps(body), service=service)
    assert isinstance(message, EventMessage)
    assert (message.request_id, message.kind) == (STREAMED, "ts.event")
    assert message.action == body["action"]
    event = message.event
    assert (event.id, event.device_id) == (EVENT["id"], EVENT["deviceid"])
    assert event.created_on == datetime(2019, 2, 22, 4, 5, 26, tzinfo=UTC)
    assert (event.fields, event.number("temperature")) == (EVENT["fields"], 18.4)
    assert message.details == ({"subscription": "1"} if body is not EVENT else {})
    assert not message.failed


def test_readings_that_are_no_numbers_are_none() -> None:
    odd = {"a": "warm", "b": True, "c": None, "d": "nan", "e": [1], "f": "inf"}
    message = parse(orjson.dumps({**EVENT, "fields": odd}))
    assert isinstance(message, EventMessage)
    assert [message.event.number(name) for name in (*odd, "missing")] == [None] * 7
    bare = parse(orjson.dumps({"kind": "ts.event.security", "id": "1"}))
    assert isinstance(bare, EventMessage)
    assert bare.event.number("temperature") is None


@pytest.mark.parametrize("body", [{**EVENT, "id": 5}, {**EVENT, "kind": "ts.eventual"}, {**EVENT, "kind": 5}])
def test_what_is_no_event_is_unknown(body: dict[str, Any]) -> None:
    message = parse(orjson.dumps(body), service="CloudConnector")
    assert isinstance(message, UnknownMessage | DiagnosticsMessage)


def test_an_event_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(errors.MessageUnreadable, match="nested deeper"):
        parse(orjson.dumps({**EVENT, "fields": {"a": deep}}))
