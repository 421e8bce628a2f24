"""Every exception of aiohttp becomes one of ours without any data of the request."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.session.checks import assert_keeps_secrets
from thingspace_async import errors
from thingspace_async._core.transport import HttpRequest, Limits, translate

WIRE = HttpRequest(
    "accounts.get", "GET", "https://example.com/api/x?y", b"hush", Limits(5.0, 1.0), once=True, sent=True
)

_SECRET_HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": "hush", "VZ-M2M-Token": "hush"}))
_REQUEST = aiohttp.RequestInfo(URL("https://example.com"), "GET", _SECRET_HEADERS, URL("https://example.com"))
_KEY = ConnectionKey("example.com", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)

_VALUES: dict[str, Any] = {
    "request_info": _REQUEST,
    "history": (),
    "connection_key": _KEY,
    "os_error": OSError(111, "Connect call failed ('192.0.2.1', 443)"),
    "certificate_error": ssl.SSLCertVerificationError("self-signed certificate"),
    "path": "/run/x",
    "url": "https://me:hush@example.com",
    "expected": b"1",
    "got": b"2",
    "host": "example.com",
    "port": 443,
    "message": "hush",
}


def _all_of(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("aiohttp"):
            yield child
        yield from _all_of(child)


KINDS = sorted({aiohttp.ClientError, *_all_of(aiohttp.ClientError)}, key=str)

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)


def _made(kind: type[Exception]) -> Exception:
    if kind.__init__ is Exception.__init__:
        return kind("hush")
    try:
        wanted = inspect.signature(kind).parameters.values()
    except ValueError:
        return kind("hush")
    needed = [one for one in wanted if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    return kind(*(_VALUES[one.name] for one in needed))


def test_the_exceptions_of_aiohttp_are_found() -> None:
    assert {aiohttp.ClientConnectorDNSError, aiohttp.ServerTimeoutError, aiohttp.ContentTypeError} <= set(KINDS)
    assert len(KINDS) > 20


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_exception_of_aiohttp_becomes_one_of_ours(kind: type[Exception]) -> None:
    failure = translate(_made(kind), WIRE)
    expected: type[errors.ThingSpaceError]
    if issubclass(kind, NOT_SENT):
        expected = errors.RequestNotSent
    elif issubclass(kind, TimeoutError):
        expected = errors.AnswerTimedOut
    elif issubclass(kind, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        expected = errors.InvalidRequest
    else:
        expected = errors.AnswerLost
    assert type(failure) is expected
    assert str(failure).startswith("accounts.get: ")
    assert_keeps_secrets(failure)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), errors.AnswerTimedOut),
        (ConnectionResetError(104, "reset"), errors.AnswerLost),
        (BrokenPipeError(), errors.AnswerLost),
        (OSError(24, "Too many open files"), errors.AnswerLost),
        (ssl.SSLError(1, "record layer"), errors.AnswerLost),
        (ValueError("Cannot combine AUTHORIZATION header with AUTH argument"), errors.InvalidRequest),
        (ValueError("hush"), errors.AnswerLost),
        (UnicodeError("hush"), errors.AnswerLost),
        (RuntimeError("hush"), errors.AnswerLost),
    ],
)
def test_other_exceptions_become_ours_too(error: Exception, kind: type[errors.ThingSpaceError]) -> None:
    failure = translate(error, WIRE)
    assert type(failure) is kind
    assert_keeps_secrets(failure)


@pytest.mark.parametrize("error", [RuntimeError("Session is closed"), RuntimeError()])
def test_a_runtime_error_means_closed_connections_only_if_they_are_closed(error: RuntimeError) -> None:
    assert type(translate(error, WIRE, closed=True)) is errors.SessionClosed
    assert type(translate(error, WIRE, closed=False)) is errors.AnswerLost


@pytest.mark.parametrize("error", [ValueError("hush"), ConnectionResetError(104, "reset")])
def test_closed_connections_do_not_change_other_errors(error: Exception) -> None:
    assert type(translate(error, WIRE, closed=True)) is errors.AnswerLost


def test_a_host_that_cannot_be_found_is_named() -> None:
    failure = translate(aiohttp.ClientConnectorDNSError(_KEY, OSError(-2, "Name or service not known")), WIRE)
    assert str(failure) == "accounts.get: cannot connect to example.com:443 (host name not found); nothing was sent"


def test_the_connect_timeout_is_shorter_than_the_total_timeout() -> None:
    """Otherwise a connection that was never made would be reported as a lost answer."""
    for answer, connect in ((60.0, 10.0), (5.0, 10.0), (0.1, 10.0)):
        timeout = Limits(answer, connect).client_timeout
        assert timeout.connect is not None
        assert timeout.connect < answer
