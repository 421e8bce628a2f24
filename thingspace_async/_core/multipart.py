"""Bodies of several parts, for uploads. Imported only by rooms that need them."""

from __future__ import annotations

import secrets

import attrs

from thingspace_async._core.faults import fault_of_text
from thingspace_async._core.operation import check_headers
from thingspace_async._core.upload import Content, Progress, Streamed
from thingspace_async.errors import InvalidRequest

__all__ = ["Part", "multipart"]


@attrs.frozen(kw_only=True)
class Part:
    """One part of a multipart body."""

    name: str
    content: bytes = attrs.field(default=b"", repr=False)
    filename: str | None = None
    content_type: str | None = None


def multipart(
    parts: tuple[Part, ...], last: Part, content: Content, progress: Progress | None = None
) -> tuple[Streamed, str]:
    """Return a multipart/form-data body, and its content type.

    The last part has a content that is read while it is sent.
    """
    boundary = secrets.token_hex(16)  # 128 random bits: no content has them by accident.
    lines: list[bytes] = []
    for part in (*parts, last):
        lines += [f"--{boundary}".encode(), *_part_headers(part), b"", part.content]
    body = Streamed(b"\r\n".join(lines), content, f"\r\n--{boundary}--\r\n".encode(), progress)
    return body, f"multipart/form-data; boundary={boundary}"


def _part_headers(part: Part) -> list[bytes]:
    disposition = f'form-data; name="{_quoted(part.name)}"'
    if part.filename is not None:
        disposition += f'; filename="{_quoted(part.filename)}"'
    headers = {"Content-Disposition": disposition}
    if part.content_type is not None:
        check_headers("multipart", {"Content-Type": part.content_type})
        headers["Content-Type"] = part.content_type
    return [f"{name}: {value}".encode() for name, value in headers.items()]


def _quoted(name: str) -> str:
    # Escaped as browsers do. Other control characters are refused, because they could start another header.
    if (fault := fault_of_text(name)) is not None:
        raise InvalidRequest(f"multipart: the name of a part {fault}")
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
