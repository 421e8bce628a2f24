"""The messages about late requests, in the shape of each API (PROTOCOL.md 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

__all__ = ["DeviceFault", "MessageBuilder", "capitalise_kinds", "message_of", "respelled", "transaction_message"]

_LINE: Final = frozenset({"mdn", "msisdn", "min"})


class DeviceFault(Exception):
    """Raised if the platform refuses a device after it has accepted the request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class MessageBuilder(Protocol):
    """Builds the message about one device of a request."""

    def __call__(
        self, request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None, /
    ) -> dict[str, Any]:
        """Build the message. Results other than dicts are ignored."""
        ...


def message_of(
    request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
) -> dict[str, Any]:
    """Build a message of Connectivity Management."""
    response = result if isinstance(result, dict) else {}
    known = {one["kind"].casefold() for one in device_ids}
    # Add the new line of an activated device: its MDN, MIN and MSISDN (PROTOCOL.md 3.4).
    line = [one for one in response.get("activateResponse", {}).get("deviceIds", ()) if one["kind"] in _LINE - known]
    message: dict[str, Any] = {"requestId": request_id, "deviceIds": [*device_ids, *line]}
    if fault is not None:
        refusal = {"faultcode": fault.code, "faultstring": fault.message}
        return message | {"faultResponse": refusal, "status": "Failed"}
    return message | ({"deviceResponse": response} if response else {}) | {"status": "Success"}


def transaction_message(name: str) -> MessageBuilder:
    """Return a builder of messages with the transaction's id and the members of the result.

    `name` is the member for the id: `txid` in location, `transactionID` in diagnostics.
    """

    def build(
        request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
    ) -> dict[str, Any]:
        device = {"deviceid": device_ids[0]} if device_ids else {}
        if fault is not None:
            return {name: request_id, **device, "status": "Failed", "fault": fault.message}
        response: Mapping[str, Any] = result if isinstance(result, dict) else {}
        return {name: request_id, **device, **response}

    return build


def capitalise_kinds(value: Any) -> Any:
    """Return a message with kinds of identifiers spelled as in the samples of messages (PROTOCOL.md 3.4)."""
    if isinstance(value, list):
        return [capitalise_kinds(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"id", "kind"}:
        kind = value["kind"].casefold()
        return {"id": value["id"], "kind": "ESN" if kind == "esn" else kind.capitalize()}
    return {name: capitalise_kinds(each) for name, each in value.items()}


def respelled(message: Any) -> Any:
    """Return a message with other spellings of identifiers: without check digits, and with MSISDNs instead of MDNs."""
    if isinstance(message, list):
        return [respelled(each) for each in message]
    if not isinstance(message, dict):
        return message
    if message.keys() == {"id", "kind"}:
        return _respelled_identifier(message["kind"], message["id"])
    return {name: respelled(each) for name, each in message.items()}


def _respelled_identifier(kind: str, identifier: str) -> dict[str, str]:
    match kind.casefold():
        case "imei":
            identifier = identifier[:14]
        case "iccid":
            identifier = identifier[:19]
        case "meid":
            identifier = identifier.swapcase()
        case "mdn":
            kind, identifier = "Msisdn", f"1{identifier}"
    return {"id": identifier, "kind": kind}
