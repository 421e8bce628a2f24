"""Configuration files: uploads in parts, and the lists of uploaded files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from email.message import Message
from typing import Any, Final

import attrs

from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.software.store import MODELS, DeviceModel, invalid
from thingspace_async.simulator.wire import Answer, Call

__all__ = ["Files", "StoredFile", "list_files", "upload_file"]

_FIELDS: Final = ("fileVersion", "make", "model", "localTargetPath")


@attrs.frozen
class StoredFile:
    """An uploaded file."""

    shown: Mapping[str, str]
    """Its members in answers."""
    content: bytes

    @property
    def model(self) -> DeviceModel:
        """The model that it is for: one without devices if no device has its make and model."""
        make, name = self.shown["make"], self.shown["model"]
        known = (one for one in MODELS if (one.make, one.name) == (make, name))
        return next(known, None) or DeviceModel(make, name, "HTTP", ())


class Files:
    """The files of each account by the platform's name and their version, oldest first."""

    def __init__(self, _: Platform) -> None:
        self.stored: Final[defaultdict[str, dict[tuple[str, str], StoredFile]]] = defaultdict(dict)


@attrs.frozen
class _Part:
    filename: str | None
    content: bytes


def upload_file(call: Call) -> Answer:
    """Store a file under a name that the platform makes. An upload of the same name and version replaces it."""
    account_name, parts = call.check_account(call.path["account_name"]), _parts_of(call)
    file = parts.get("fileupload")
    if file is None or not file.filename:
        raise invalid("The file is missing.", reason="no part fileupload with a filename")
    if not file.content:
        raise invalid("The file is empty.", reason="the part fileupload has 0 bytes")
    fields = {name: _text_of(parts, name) for name in _FIELDS}
    shown = {
        "fileName": f"configfile-{fields['make']}_{fields['model']}_{file.filename}",
        **fields,
        "launchDate": call.platform.clock.now().date().isoformat(),
        "releaseNote": "",
        "distributionType": "HTTP",
        "devicePlatformId": "IoT",
    }
    stored = StoredFile(shown, file.content)
    call.platform.room(Files).stored[account_name][shown["fileName"], shown["fileVersion"]] = stored
    return Answer(200, shown)


def _text_of(parts: Mapping[str, _Part], name: str) -> str:
    value = parts[name].content.decode("utf-8", "replace").strip() if name in parts else ""
    if not value:
        raise invalid(f"{name} is missing.", reason=f"the part {name} is missing or empty")
    return value


def _parts_of(call: Call) -> dict[str, _Part]:
    """Read a multipart body. Written for this platform alone: the client must not share its faults."""
    kind = _headers({"Content-Type": call.received.headers.get("Content-Type", "")})
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise invalid("The request is not multipart/form-data.", reason="the Content-Type must have a boundary")
    first, *pieces = (b"\r\n" + call.received.body).split(b"\r\n--" + boundary.encode())
    if first or not pieces or not pieces[-1].startswith(b"--"):
        raise invalid("The request is incomplete.", reason="the body does not end with its boundary")
    found: dict[str, _Part] = {}
    for piece in pieces[:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode("utf-8", "replace").splitlines())
        disposition = _headers({name: value.strip() for name, _, value in lines})
        name = disposition.get_param("name", header="Content-Disposition")
        found[str(name)] = _Part(disposition.get_filename(), content)
    return found


def _headers(values: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in values.items():
        message[name] = value
    return message


def list_files(call: Call) -> Answer:
    """List the uploaded files."""
    account_name, query = call.check_account(call.path["account_name"]), call.received.query
    if "distributionType" not in query:
        raise invalid("distributionType is missing.", reason="is missing", at=(query, "distributionType"))
    stored = call.platform.room(Files).stored[account_name].values()
    body: list[dict[str, Any]] = [
        {name: value for name, value in one.shown.items() if name != "launchDate"}
        for one in stored
        if one.shown["distributionType"] == query["distributionType"]
    ]
    return Answer(
        200, {"AvailableFilesResponse": body} if call.platform.assumptions.software_files_are_wrapped else body
    )
