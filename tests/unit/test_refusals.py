"""Classifying refusals: rejected tokens, refused passwords, and strings that are safe in a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._core.refusals import TokenKind, header_safe, refuses_password, rejected_token
from thingspace_async.errors import ApiError, BadRequest


@pytest.mark.parametrize("text", ["abc", "9e107d9d-372b-b682-6bd8-1d3542a419d6", "a.b_c~d+e/f==", "!"])
def test_a_visible_ascii_token_is_safe_in_a_header(text: str) -> None:
    assert header_safe(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\r\nX-Evil: 1", "a\n", "a\x00", "a\x7f", "é", "a\u2028b", "\ud800"])
def test_a_token_that_could_break_a_header_is_not_safe(text: str) -> None:
    assert not header_safe(text)


@given(st.text())
def test_only_visible_ascii_is_safe_in_a_header(text: str) -> None:
    assert header_safe(text) == (bool(text) and all("!" <= c <= "~" for c in text))


def _refusal(status: int, code: str | None = None, message: str = "m") -> ApiError:
    return BadRequest(message, operation="x", status=status, code=code)


CLOUD = "Failure response received for UWS V1 REST accounts: [400]"

REJECTIONS: list[tuple[int, str | None, str, TokenKind | None]] = [
    (401, "900901", "Invalid Credentials", "oauth"),
    (401, "900902", "Missing Credentials", "oauth"),
    (403, "900901", "Invalid Credentials", "oauth"),
    (401, "900903", "expired", "oauth"),
    (401, "900904", "inactive", "oauth"),
    (401, "invalid_token", "expired", "oauth"),
    (401, None, "<html>", "oauth"),
    (403, None, "<html>", None),
    (400, "900906", "No matching resource", None),
    (403, "900908", "Resource forbidden", None),
    (503, "900800", "throttled out", None),
    (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (400, "DeviceService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (400, "REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (403, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (401, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (500, "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid", "no GUID", "session"),
    (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Format", "absent", "session"),
    (400, "INVALID_PARAMETER", "UWS verification failure (The Session has expired.)", "session"),
    (400, "INVALID_PARAMETER", "uws verification failure (the session HAS EXPIRED.)", "session"),
    (400, "INVALID_PARAMETER", "Device not found", None),
    (400, "INVALID_REQUEST", "The Session has expired", None),
    (401, "unauthorized", CLOUD, "session"),
    (400, "unauthorized", f"{CLOUD}: more", "session"),
    (401, "unauthorized", "Failure response received for UWS V1 REST accounts: [500]", None),
    (500, "internal_server_error", "[401]", None),
    (400, "invalid_client", "no such client", None),
    (401, "invalid_client", "no such client", None),
    (401, "INVALID_ACCOUNT", "UWS verification", None),
    (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound", "no such account", None),
    (400, None, "The Session has expired", None),
    (500, None, "<html>", None),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), REJECTIONS)
def test_only_the_known_forms_of_rejecting_a_token_are_recognised(
    status: int, code: str | None, message: str, kind: TokenKind | None
) -> None:
    assert rejected_token(_refusal(status, code, message)) == kind


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("internal_server_error", "Failure response received: [401]", "oauth"),
        ("internal_server_error", "[500]", None),
        ("not_found", "[401]", None),
    ],
)
def test_cloud_connector_rejects_a_bearer_token_as_an_internal_error(
    code: str, message: str, kind: TokenKind | None
) -> None:
    assert rejected_token(_refusal(500, code, message), "cloud_connector") == kind


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        (400, "UnifiedWebService.INPUT_INVALID.Password.Invalid", True),
        (400, "UnifiedWebService.REQUEST_FAILED.UserNotFound", True),
        (400, "400", False),
        (400, None, False),
        (401, None, False),
        (401, "INVALID_ACCOUNT", False),
        (401, "invalid_token", False),
        (403, None, False),
        (404, "UnifiedWebService.REQUEST_FAILED.UserNotFound", True),
        (409, "X.Y", True),
        (404, None, False),
        (405, None, False),
        (408, None, False),
        (401, "900901", False),
        (401, "900902", False),
        (400, "900906", False),
        (403, "900908", False),
        (403, "900800", False),
        (429, None, False),
        (429, "X.Y", False),
        (302, None, False),
        (500, None, False),
        (500, "UnifiedWebService.INPUT_INVALID.Password.Invalid", False),
        (503, "X.Y", False),
    ],
)
def test_a_refused_password_is_distinguished_from_other_failed_logins(
    *, status: int, code: str | None, refused: bool
) -> None:
    assert refuses_password(_refusal(status, code)) is refused
