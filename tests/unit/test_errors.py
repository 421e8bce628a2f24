"""Errors: the class for each answer, the message, the hidden parts, and pickling."""

import copy
import email.utils
import gc
import json
import pickle
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from types import NoneType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async import DeviceId, DeviceIds, errors
from thingspace_async._core.operation import Operation
from thingspace_async._core.reading import read_answer
from thingspace_async._core.refusals import api_error, login_refusal
from thingspace_async._core.transport import Answer
from thingspace_async.callbacks.inbox import Received
from thingspace_async.callbacks.messages import Message
from thingspace_async.callbacks.outcomes import Outcome
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    InvalidRequest,
    LoginRefused,
    NotFound,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
    Unauthorized,
)

HIDDEN = "9e107d9d-hidden-token"


def _error(
    shape: object, *, status: int = 400, headers: Mapping[str, str] | None = None, redact: Callable[[str], str] = str
) -> ApiError:
    return api_error("devices.list", status, headers or {}, json.dumps(shape).encode(), redact=redact)


def _family(cls: type[ThingSpaceError] = ThingSpaceError) -> Iterator[type[ThingSpaceError]]:
    yield cls
    for child in cls.__subclasses__():
        if not child.__module__.startswith("thingspace_async._cli"):  # Never raised outside the command line.
            yield from _family(child)


def _outcome() -> Outcome:
    device = DeviceIds(device_ids=(DeviceId.imei("990013907835573"),))
    received = Received(message=Message(request_id="r-1"), received_at=datetime(2026, 1, 15, tzinfo=UTC), number=7)
    return Outcome(device=device, asked_for=True, received=received)


LATER: dict[type[ThingSpaceError], dict[str, Any]] = {
    errors.DeviceFailed: {"outcome": _outcome()},
    errors.OutcomesMissing: {"outcomes": (_outcome(),), "missing": (_outcome().device,), "unmatched": (_outcome(),)},
    errors.RequestFailed: {"received": _outcome().received},
    errors.ListenersTaken: {"urls": {"CarrierService": "https://example.com"}},
    errors.ListenersLeft: {"services": ("CarrierService",)},
    errors.ClientNotReady: {"device_id": "d-1", "urls": ("mqtts://example.com:8883",), "secret": HIDDEN},
    errors.SecretNotKept: {"secret": HIDDEN},
    errors.SensorNotOnboarded: {"event": "failed"},
}
"""Arguments of the errors about results that arrive later."""


def _made(cls: type[ThingSpaceError]) -> ThingSpaceError:
    """Make an error of any class with all its attributes set."""
    details: dict[str, Any] = {}
    if issubclass(cls, errors.CallError):
        details = {"operation": "devices.list", "tries": 3, "body": HIDDEN.encode()}
    if issubclass(cls, AnswerUnreadable):
        details |= {"path": "devices[0].id", "status": 202}
    if issubclass(cls, ApiError):
        details |= {"status": 418, "code": "DeviceService.A.B", "request_id": "r-1", "retry_after": 2.5}
    details |= LATER.get(cls, {})
    error = cls("what happened", **details)
    error.add_note("a note")
    return error


FAMILY = sorted(set(_family()), key=lambda cls: cls.__name__)


# Every known shape of error from the platform's APIs, its gateway and proxies before it.
SHAPES = {
    "connectivity": (
        {
            "errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired",
            "errorMessage": "The Session has expired",
        },
        "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired",
        "The Session has expired",
    ),
    "newer connectivity": ({"errorCode": "400", "errorMessage": "Bad monitor"}, "400", "Bad monitor"),
    "code as a number": ({"errorCode": 400, "errorMessage": "Bad monitor"}, "400", "Bad monitor"),
    "code alone": ({"errorCode": "INVALID_PARAMETER"}, "INVALID_PARAMETER", "no explanation given"),
    "message alone": ({"errorMessage": "Consent check failed"}, None, "Consent check failed"),
    "code and message null": ({"errorCode": None, "errorMessage": None}, None, "no explanation given"),
    "code and message empty": ({"errorCode": "", "errorMessage": ""}, None, "no explanation given"),
    "code and message no texts": ({"errorCode": {}, "errorMessage": []}, None, "no explanation given"),
    "location": (
        {"errorCode": "INVALID_PARAMETER", "errorMessage": "UWS verification failure (The Session has expired.)"},
        "INVALID_PARAMETER",
        "UWS verification failure (The Session has expired.)",
    ),
    "gateway": (
        {"fault": {"code": "900901", "message": "Invalid Credentials", "description": "Access failure for API"}},
        "900901",
        "Invalid Credentials: Access failure for API",
    ),
    "gateway, code as a number": ({"fault": {"code": 900902, "message": "Missing"}}, "900902", "Missing"),
    "gateway, description alone": ({"fault": {"description": "Access failure"}}, None, "Access failure"),
    "gateway, empty": ({"fault": {}}, None, "no explanation given"),
    "gateway, fault no object": ({"fault": "down"}, None, "no explanation given"),
    "oauth": (
        {"error": "invalid_client", "error_description": "A valid OAuth client could not be found"},
        "invalid_client",
        "A valid OAuth client could not be found",
    ),
    "ETX": ({"error": "Forbidden", "description": "No such vendor"}, "Forbidden", "No such vendor"),
    "oauth, error alone": ({"error": "invalid_client"}, "invalid_client", "invalid_client"),
    "cloud connector": (
        {
            "error": "unauthorized",
            "error_description": "Failure response received for UWS V1 REST accounts: [400]",
            "cause": "The Session has expired",
        },
        "unauthorized",
        "Failure response received for UWS V1 REST accounts: [400]: The Session has expired",
    ),
    "cloud connector, cause alone": ({"error": "not_found", "cause": "no target"}, "not_found", "no target"),
    "hyper-precise location": (
        {"responseCode": "INVALID_ACCESS", "message": "Subscription missing"},
        "INVALID_ACCESS",
        "Subscription missing",
    ),
    "5G edge": (
        {"status": "NOT_FOUND", "message": "No such service", "data": {"additionalMessage": "ask the owner"}},
        "NOT_FOUND",
        "No such service: ask the owner",
    ),
    "5G edge without data": ({"status": "NOT_FOUND", "message": "No such service"}, "NOT_FOUND", "No such service"),
    "5G edge, data no object": ({"message": "No such service", "data": [1]}, None, "No such service"),
    "an object of no known shape": ({"oops": 1}, None, "no explanation given"),
    "a list": ([{"errorCode": "X"}], None, "no explanation given"),
    "a text": ("oops", None, "no explanation given"),
    "null": (None, None, "no explanation given"),
}


def test_the_error_for_an_address_unknown_to_the_gateway_says_so() -> None:
    body = b'{"fault": {"code": "900906", "message": "No matching resource"}}'
    assert "check the environment's base URL" in str(api_error("oauth.token", 400, {}, body))
    assert "no such address; check" in str(api_error("oauth.token", 400, {}, b'{"fault": {"code": 900906}}'))


@pytest.mark.parametrize(("shape", "code", "message"), SHAPES.values(), ids=SHAPES)
def test_every_error_shape_of_the_platform_gives_its_code_and_message(
    shape: object, code: str | None, message: str
) -> None:
    error = _error(shape)
    assert (error.code, error.message) == (code, message)
    assert str(error) == f"[400] devices.list: {message}" + (f" ({code})" if code else "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the platform failed without an explanation; try again later"),
        (b"<html>\n<h1>502 Bad Gateway</h1>\n</html>", "<html> <h1>502 Bad Gateway</h1> </html>"),
        (b'<am:fault xmlns:am="x"/>', '<am:fault xmlns:am="x"/>'),
        (b'{"errorCode": "X", "errorMess', '{"errorCode": "X", "errorMess'),
        (b"plain\x00 text\x1b[31m", "plain text [31m"),
        (b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
        (b"[" * 5000, "[" * 199 + "…"),
    ],
    ids=["empty", "html", "xml", "cut json", "control characters", "not utf-8", "too deep"],
)
def test_the_message_of_an_answer_without_json_is_its_beginning(body: bytes, message: str) -> None:
    error = api_error("devices.list", 502, {}, body)
    assert (type(error), error.code, error.message) == (ServerFault, None, message)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, ApiError),
        (400, BadRequest),
        (401, Unauthorized),
        (402, BadRequest),
        (403, Forbidden),
        (404, NotFound),
        (405, BadRequest),
        (408, ServerFault),
        (409, Conflict),
        (418, BadRequest),
        (429, RateLimited),
        (499, ServerFault),
        (500, ServerFault),
        (501, ServerFault),
        (502, ServerFault),
        (503, ServerFault),
        (504, ServerFault),
        (599, ServerFault),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[ApiError]) -> None:
    error = _error({"errorCode": "A.B", "errorMessage": "m"}, status=status)
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500, 503])
@pytest.mark.parametrize("code", ["900800", "900804"])
def test_throttling_by_the_gateway_is_a_rate_limit_with_any_status(code: str, status: int) -> None:
    assert type(_error({"fault": {"code": code, "message": "throttled out"}}, status=status)) is RateLimited


@pytest.mark.parametrize("code", ["9008", "9008000", "900901", "900908"])
def test_other_codes_of_the_gateway_are_not_rate_limits(code: str) -> None:
    assert type(_error({"fault": {"code": code, "message": "no"}}, status=403)) is Forbidden


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_that_it_was_not_followed_and_what_to_check(status: int) -> None:
    error = api_error("devices.list", status, {"Location": "https://elsewhere.example"}, b"<html>Moved</html>")
    assert type(error) is ApiError
    assert "redirect" in error.message
    assert "not followed" in error.message
    assert "check the environment's URL" in error.message
    assert "elsewhere" not in str(error)


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("UnifiedWebService.REQUEST_FAILED.AccountNotFound", "REQUEST_FAILED.AccountNotFound"),
        ("DeviceService.INPUT_INVALID.CustomField.InvalidName", "INPUT_INVALID.CustomField.InvalidName"),
        ("REQUEST_FAILED.AccountNotFound", "REQUEST_FAILED.AccountNotFound"),
        ("INVALID_PARAMETER", "INVALID_PARAMETER"),
        ("SomeService", "SomeService"),
        ("900901", "900901"),
        (None, None),
    ],
)
def test_the_short_code_is_the_code_without_its_service(code: str | None, short: str | None) -> None:
    assert ApiError("m", operation="x", status=400, code=code).short_code == short


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-5", 0.0),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("inf", None),
        ("nan", None),
        ("Mon, 99 Jan 2024 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +9999999999", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_otherwise_ignored(value: str, seconds: float | None) -> None:
    assert _error({}, status=429, headers={"Retry-After": value}).retry_after == seconds


def test_retry_after_as_a_future_date_gives_the_seconds_until_then() -> None:
    error = _error({}, status=503, headers={"Retry-After": formatdate(time.time() + 90, usegmt=True)})
    assert error.retry_after is not None
    assert 80 < error.retry_after <= 90


def test_retry_after_is_none_without_the_header() -> None:
    assert _error({}, status=429).retry_after is None


@pytest.mark.parametrize("header", ["X-Request-Id", "X-Correlation-Id", "activityid"])
def test_the_request_id_is_found_under_each_of_its_names(header: str) -> None:
    assert _error({}, headers={header: "abc-1"}).request_id == "abc-1"


def test_the_request_id_is_none_if_the_answer_has_none() -> None:
    assert _error({}, headers={"Date": "today"}).request_id is None


def test_echoed_secrets_are_redacted_from_message_and_code() -> None:
    error = _error(
        {"errorCode": f"X.{HIDDEN}", "errorMessage": f"token {HIDDEN} is unknown"},
        redact=lambda text: text.replace(HIDDEN, "**********"),
    )
    assert (error.code, error.message) == ("X.**********", "token ********** is unknown")
    assert HIDDEN not in repr(error) + str(error)
    assert HIDDEN.encode() not in pickle.dumps(error)


@pytest.mark.parametrize("secret", ["s" * 60, "hid  den-hid  den"])
@pytest.mark.parametrize("before", [0, 150, 190])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_secret_is_redacted_before_a_message_is_shortened_or_cleaned(
    secret: str, before: int, *, as_json: bool
) -> None:
    text = f"{'m' * before} {secret} more"
    body = json.dumps({"errorMessage": text}).encode() if as_json else text.encode()
    error = api_error("x", 400, {}, body, redact=lambda shown: shown.replace(secret, "***"))
    assert "sss" not in error.message
    assert "den" not in error.message


@given(
    st.one_of(st.binary(), st.text().map(lambda text: json.dumps({"errorCode": text, "errorMessage": text}).encode()))
)
def test_the_error_for_any_answer_is_one_short_line(body: bytes) -> None:
    line = str(api_error("devices.list", 400, {}, body))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert len(line) <= 450


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["fault", "errorCode", "errorMessage", "error", "cause", "responseCode", "message", "data"]
                ),
                inner,
            )
        ),
    ),
    st.integers(300, 599),
    st.text(max_size=60),
)
def test_an_error_can_be_made_from_any_json(shape: object, status: int, header: str) -> None:
    error = _error(shape, status=status, headers={"Retry-After": header})
    assert error.status == status
    assert isinstance(error.message, str)


def test_only_the_beginning_of_a_long_body_is_kept() -> None:
    error = api_error("devices.list", 500, {}, b"x" * 1_000_000)
    assert error.body is not None
    assert len(error.body) == 65_536


def test_the_error_for_an_unreadable_answer_says_where() -> None:
    assert str(AnswerUnreadable("missing", operation="devices.list", path="devices[4].deviceIds[0].id")) == (
        "devices.list: unreadable answer at devices[4].deviceIds[0].id: missing"
    )
    assert str(AnswerUnreadable("an HTML page", operation="devices.list")) == (
        "devices.list: unreadable answer: an HTML page"
    )


def test_transport_errors_name_the_call() -> None:
    assert str(RequestNotSent("cannot connect", operation="devices.list")) == "devices.list: cannot connect"


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (SessionClosed, SessionMisused),
        (AnswerTimedOut, AnswerLost),
        (LoginRefused, Unauthorized),
        (errors.UserLocked, LoginRefused),
        (InvalidRequest, ValueError),
        *(
            (kind, ApiError)
            for kind in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, RateLimited, ServerFault)
        ),
    ],
)
def test_the_error_tree_is_as_its_docstring_shows_it(child: type, parent: type) -> None:
    assert issubclass(child, parent)


def test_request_not_sent_and_answer_lost_are_separate_classes() -> None:
    assert not issubclass(RequestNotSent, AnswerLost)
    assert not issubclass(AnswerLost, RequestNotSent)


def test_every_public_error_is_listed_drawn_in_the_docstring_and_shadows_no_builtin() -> None:
    public = {cls.__name__ for cls in FAMILY if not cls.__name__.startswith("_")}
    assert public == set(errors.__all__)
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in public)
    assert not public & set(dir(__import__("builtins")))


@pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_pickling_without_its_body(cls: type[ThingSpaceError], protocol: int) -> None:
    error = _made(cls)
    packed = pickle.dumps(error, protocol)
    twin = pickle.loads(packed)
    assert HIDDEN.encode() not in packed
    assert type(twin) is cls
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    hidden = {"body": None, "secret": None}
    assert vars(twin) | hidden == vars(error) | hidden
    assert getattr(twin, "body", None) is None


@pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy])
def test_every_error_survives_copying_with_its_body(
    cls: type[ThingSpaceError], twin_of: Callable[[ThingSpaceError], ThingSpaceError]
) -> None:
    error = _made(cls)
    twin = twin_of(error)
    assert twin is not error
    assert type(twin) is cls
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    assert vars(twin) == vars(error)


@pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)
def test_no_str_or_repr_of_an_error_shows_the_body(cls: type[ThingSpaceError]) -> None:
    error = _made(cls)
    assert HIDDEN not in f"{error} {error!r} {error.args} {error.__notes__}"


@pytest.mark.parametrize("cls", FAMILY, ids=lambda cls: cls.__name__)
def test_every_error_is_raised_and_caught_as_its_own_class_and_as_the_root(cls: type[ThingSpaceError]) -> None:
    error = _made(cls)
    with pytest.raises(ThingSpaceError) as caught:
        raise error
    assert caught.value is error
    assert isinstance(error, cls)


def test_changing_a_copy_does_not_change_the_original() -> None:
    error = RequestNotSent("cannot connect", operation="devices.list")
    twin = copy.copy(error)
    twin.tries = 9
    twin.message = "other"
    assert (error.tries, error.message) == (1, "cannot connect")


@pytest.mark.parametrize("value", ["9" * 400, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
def test_an_absurd_retry_after_is_ignored(value: str) -> None:
    assert api_error("x", 429, {"Retry-After": value}, b"").retry_after is None


def test_retry_after_as_a_date_without_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        later = email.utils.formatdate(time.time() + 90)
        asked = api_error("x", 429, {"Retry-After": later}, b"").retry_after
    finally:
        monkeypatch.undo()
        time.tzset()
    assert later.endswith("-0000")
    assert asked is not None
    assert 80 < asked <= 90


@pytest.mark.parametrize("body", [b" \r\n", b'{"errorMessage": "  "}', b"\x00\x00"])
def test_a_blank_explanation_is_none(body: bytes) -> None:
    assert api_error("x", 418, {}, body).message == "no explanation given"
    assert api_error("x", 502, {}, body).message.endswith("try again later")


@pytest.mark.parametrize("status", [408, 499, 500, 502, 503, 504])
def test_an_unexplained_failure_of_an_unsafe_call_advises_to_find_out_and_never_to_try_again(status: int) -> None:
    unsafe = api_error("devices.activate", status, {}, b"", once=True)
    assert "find out before you repeat" in str(unsafe)
    assert "again" not in str(unsafe)
    assert "try again later" in str(api_error("devices.list", status, {}, b"", once=False))


@pytest.mark.parametrize("code", ["DEVICE_UNREGISTERED", "UNREGISTERED_ACCOUNT", "INACTIVE_ACCOUNT", "NOT_FOUND"])
def test_a_500_with_a_documented_refusal_is_a_bad_request(code: str) -> None:
    assert type(_error({"errorCode": code, "errorMessage": "m"}, status=500)) is BadRequest
    assert type(_error({"errorCode": "INTERNAL_SYSTEM_ERROR", "errorMessage": "m"}, status=500)) is ServerFault


def test_a_uuid_in_the_body_is_the_request_id_unless_a_header_names_one() -> None:
    shape = {"error": "x", "description": "y", "uuid": "u-1"}
    assert _error(shape).request_id == "u-1"
    assert _error(shape, headers={"X-Request-Id": "r-1"}).request_id == "r-1"


def test_a_secret_in_a_request_id_is_redacted() -> None:
    error = _error({}, headers={"X-Request-Id": HIDDEN}, redact=lambda text: text.replace(HIDDEN, "***"))
    assert error.request_id == "***"


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("U.INPUT_INVALID.Password.Invalid", "The user is locked.", errors.UserLocked),
        ("U.REQUEST_FAILED.UserLocked", "No access", errors.UserLocked),
        ("U.INPUT_INVALID.Password.Invalid", "Wrong; the user will be locked after 2 more", LoginRefused),
        ("U.REQUEST_FAILED.Blocked", "No access", LoginRefused),
        ("U.INPUT_INVALID.Password.Invalid", "Invalid username or password.", LoginRefused),
    ],
)
def test_only_the_error_of_a_locked_user_refers_to_support(code: str, message: str, kind: type[LoginRefused]) -> None:
    refused = login_refusal(_error({"errorCode": code, "errorMessage": message}))
    assert type(refused) is kind
    assert ("only Verizon's support" in str(refused)) == (kind is errors.UserLocked)


def test_an_unreadable_answer_is_freed_with_its_error_without_the_garbage_collector() -> None:
    operation = Operation("things.get", "GET", "/things", NoneType, dict[str, str])
    kept: list[weakref.ref[ThingSpaceError]] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            try:
                read_answer(operation, Answer(200, {}, b"[" + b" " * 5_000_000 + b"]"), 1)
            except AnswerUnreadable as error:
                kept.append(weakref.ref(error))
        alive = [one for one in kept if one() is not None]
    finally:
        gc.enable()
    assert len(kept) == 10
    assert not alive
