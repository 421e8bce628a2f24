"""Differences between the platform's servers: the form of refusals, and the header of the session token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Server

__all__ = ["DIALECTS", "M2M", "Dialect", "dialect_of"]


def _unchanged(_: str, status: int) -> int:
    return status


@attrs.frozen(kw_only=True)
class Dialect:
    """The conventions of a server."""

    body: Callable[[str, str], Any]
    """Builds the body of a refusal from its code and its message."""
    status: Callable[[str, int], int] = _unchanged
    """Returns the status of a refusal, from its code and the usual status."""
    session_header: str = "VZ-M2M-Token"
    forbidden: frozenset[str] = frozenset()
    """Characters that strings in a request must not contain."""
    is_traced: bool = False
    """Whether a refusal has an id of its own and its time."""


def _coded(code: str, message: str) -> dict[str, str]:
    return {"errorCode": code, "errorMessage": message}


def _connected_code(code: str) -> str:
    """Return the code of Cloud Connector for a code of the simulator."""
    if "." not in code:
        return code
    if ".SessionToken." in code:
        return "unauthorized"
    is_unreadable = code.endswith((".DeserializationFailed", ".RequestUndefined"))
    return "request_json_unmarshal" if is_unreadable else "bad_request"


def _connected(code: str, message: str) -> dict[str, str]:
    """Build a refusal of Cloud Connector (PROTOCOL.md 2.3)."""
    found = _connected_code(code)
    expired = "Failure response received for UWS V1 REST accounts: [400]"
    described = {"unauthorized": expired, "request_json_unmarshal": "The request is not valid JSON."}
    return {"error": found, "error_description": described.get(found, "The request was refused."), "cause": message}


_CONNECTED: Final = {"not_found": 404, "unauthorized": 401}
"""The codes of Cloud Connector whose status is not 400. ASSUMPTION: the statuses."""


def _described(code: str, message: str) -> dict[str, str]:
    return {"error": code, "description": message}


def _response(code: str, message: str) -> dict[str, str]:
    return {"responseCode": code, "message": message}


def _located(code: str, message: str) -> dict[str, str]:
    """Build a refusal of Device Location, which has few codes: mostly, its messages differ (PROTOCOL.md 2.3)."""
    if ".SessionToken." in code:
        return _coded("INVALID_PARAMETER", "UWS verification failure (The Session has expired.)")
    if code.endswith(".AccountNotFound"):
        account_name = message.partition(": ")[2].removesuffix(".")
        return _coded("INVALID_PARAMETER", f"UWS verification failure (Could not find account {account_name})")
    if code.endswith((".DeserializationFailed", ".RequestUndefined")):
        return _coded("INVALID_PARAMETER", "Invalid JSON")
    return _coded("INVALID_PARAMETER" if "." in code else code, message)


_DIAGNOSED: Final = {
    "INTERNAL_SYSTEM_ERROR": (500, "The system encountered an internal error."),
    "DEVICE_UNREGISTERED": (500, "The device is unregistered."),
    "UNREGISTERED_ACCOUNT": (500, "The account has been unregistered, and usage is no longer permitted."),
    "DEVICE_NOT_FOUND": (400, "The device was not found."),
    "INVALID_PARAMETER": (400, "The request parameter is invalid."),
    "ACCOUNT_USAGE_EXCEEDED": (403, "The account usage has been exceeded."),
    "CALLBACK_NOT_REGISTERED": (403, "Callback is not registered for this account."),
    "INVALID_ACCOUNT": (401, "An error was encountered when trying to verify the UWS account."),
}
"""The codes of diagnostics, with status and message (PROTOCOL.md 2.3)."""


def _diagnosed_code(code: str) -> str:
    """Return the code of diagnostics for a code of the simulator."""
    if code in _DIAGNOSED:
        return code
    if ".SessionToken." in code:
        return "INVALID_ACCOUNT"
    if code.endswith(".AccountNotFound"):  # ASSUMPTION: none of the documented codes fits better.
        return "UNREGISTERED_ACCOUNT"
    is_of_device = code.endswith((".DeviceNotFound", ".Device.Account.Invalid"))
    return "DEVICE_NOT_FOUND" if is_of_device else "INVALID_PARAMETER"


def _diagnosed(code: str, message: str) -> dict[str, str]:
    found = _diagnosed_code(code)
    return _coded(found, message if found == code and message else _DIAGNOSED[found][1])


M2M: Final = Dialect(body=_coded, forbidden=frozenset("'<\\"))
"""Connectivity Management (PROTOCOL.md 2.1, 4.1)."""

_CODED: Final = Dialect(body=_coded)

DIALECTS: Final[Mapping[Server, Dialect]] = {
    "thingspace": M2M,
    "m2m": M2M,
    "oauth": M2M,
    # ASSUMPTION: these allow all characters. Forbidden ones are documented for Connectivity Management only.
    "location": Dialect(body=_located),
    "subscriptions": _CODED,
    "software_management_v1": _CODED,
    "software_management_v2": _CODED,
    "software_management_v3": _CODED,
    "diagnostics": Dialect(body=_diagnosed, status=lambda code, _: _DIAGNOSED[_diagnosed_code(code)][0]),
    "cloud_connector": Dialect(
        body=_connected, status=lambda code, usual: _CONNECTED.get(_connected_code(code), usual)
    ),
    "hyper_precise_location": Dialect(body=_response),
    "hyper_precise_credentials": Dialect(body=_response),
    "imp": Dialect(body=_described, session_header="SessionToken"),
}


def _managed_code(code: str) -> str:
    """Return the code of Sensor Insights for a code of the simulator."""
    if "." not in code:
        return code
    if ".SessionToken." in code:
        return "unauthorized"
    return "request_json_unmarshal" if code.endswith((".DeserializationFailed", ".RequestUndefined")) else "bad_request"


def _managed(code: str, message: str) -> dict[str, str]:
    found = _managed_code(code)
    expired = "Failure response received for UWS V1 REST accounts: [400]"
    return {"error": found, "error_description": message, "cause": expired if found == "unauthorized" else message}


_MANAGED: Final = Dialect(
    body=_managed, status=lambda code, status: 401 if _managed_code(code) == "unauthorized" else status
)
"""Sensor Insights. ASSUMPTION: its errors are those of the cloud connector, whose form it has (PROTOCOL.md 2.3)."""


_MAPS: Final = attrs.evolve(DIALECTS["imp"], is_traced=True)
"""Map messages of V2X."""


def dialect_of(server: Server, path: str = "") -> Dialect:
    """Return the dialect of a server: that of Connectivity Management for an unknown server."""
    if path.startswith("/dm/"):
        return _MANAGED
    return _MAPS if path.startswith("/api/v2/mapdata") else DIALECTS.get(server, M2M)
