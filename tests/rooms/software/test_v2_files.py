"""Configuration files: uploads from memory and from a file, and everything that can go wrong with them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

import pytest

from thingspace_async import Session, errors
from thingspace_async._core.upload import LocalFile
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.faults import Reset, Status
from thingspace_async.simulator.rooms.software.files import Files
from thingspace_async.software.v2 import ConfigurationFileUpload, DistributionType

ACCOUNT = "0000123456-00001"
UPLOAD = "software.v2.files.upload"
LARGE = os.urandom(700_000)
"""More than two chunks, with every byte value."""


def upload_of(file: Path | str | bytes, **changes: Any) -> ConfigurationFileUpload:
    given = {"file_version": "1.0", "make": "Quectel", "model": "BG96", "local_target_path": "/etc/interval.conf"}
    named = {"file_name": "interval.conf"} if isinstance(file, bytes) else {}
    return ConfigurationFileUpload(file=file, **{**given, **named, **changes})


def stored(cloud: Simulator) -> list[bytes]:
    return [one.content for one in cloud.platform.room(Files).stored[ACCOUNT].values()]


async def test_bytes_are_uploaded_and_listed_under_the_platforms_name(cloud: Simulator, session: Session) -> None:
    uploaded = await session.software.v2.files.upload(ACCOUNT, upload_of(b"interval=60\r\n"))
    assert uploaded.file_name == "configfile-Quectel_BG96_interval.conf"
    assert (uploaded.file_version, uploaded.make, uploaded.model) == ("1.0", "Quectel", "BG96")
    assert uploaded.local_target_path == "/etc/interval.conf"
    assert stored(cloud) == [b"interval=60\r\n"]
    (listed,) = await session.software.v2.files.list(ACCOUNT)
    assert (listed.file_name, listed.distribution_type) == (uploaded.file_name, DistributionType.HTTP)
    assert await session.software.v2.files.list(ACCOUNT, distribution_type="LWM2M") == ()


@pytest.mark.parametrize("size", [1, 262_144, 262_145, 700_000])
async def test_a_file_arrives_unchanged_with_its_length_and_name(
    cloud: Simulator, session: Session, tmp_path: Path, size: int
) -> None:
    path = tmp_path / 'inter"val é.conf'
    path.write_bytes(LARGE[:size])
    uploaded = await session.software.v2.files.upload(ACCOUNT, upload_of(path))
    assert stored(cloud) == [LARGE[:size]]
    assert uploaded.file_name is not None
    assert uploaded.file_name.endswith("val é.conf")
    headers = cloud.requests[-1].headers
    assert int(headers["Content-Length"]) == len(cloud.requests[-1].body)
    assert "Transfer-Encoding" not in headers


@pytest.mark.parametrize("as_bytes", [True, False])
async def test_progress_is_reported_from_nothing_to_all(session: Session, tmp_path: Path, *, as_bytes: bool) -> None:
    path = tmp_path / "interval.conf"
    path.write_bytes(LARGE)
    seen: list[tuple[int, int]] = []
    await session.software.v2.files.upload(
        ACCOUNT, upload_of(LARGE if as_bytes else str(path)), on_progress=lambda *sent: seen.append(sent)
    )
    assert seen == [(262_144 * part, len(LARGE)) for part in range(3)] + [(len(LARGE), len(LARGE))]


async def test_an_error_of_the_progress_function_is_logged_and_does_not_end_the_upload(
    cloud: Simulator, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int, __: int) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "thingspace_async"):
        await session.software.v2.files.upload(ACCOUNT, upload_of(b"x"), on_progress=fail)
    assert stored(cloud) == [b"x"]
    assert "on_progress failed" in caplog.text


# Bad input


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file": b""}, "file is empty"),
        ({"file": None}, "file must be a path or bytes, not NoneType"),
        ({"file": 7}, "file must be a path or bytes, not int"),
        ({"file": ""}, "file must be a path or bytes, not str"),
        ({"file": b"x", "file_name": None}, "file_name is missing"),
        ({"file": b"x", "file_name": "a\r\nb"}, "file_name contains a character"),
        ({"file": b"x", "make": ""}, "make must not be empty"),
        ({"file": b"x", "local_target_path": None}, "local_target_path must be a str"),
    ],
)
def test_a_wrong_upload_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^ConfigurationFileUpload: {reason}"):
        ConfigurationFileUpload(
            **{
                "file_name": "interval.conf",
                "file_version": "1.0",
                "make": "Quectel",
                "model": "BG96",
                "local_target_path": "/etc",
                **changes,
            }
        )


def test_an_upload_shows_no_content() -> None:
    assert "secret" not in repr(upload_of(b"secret"))


async def test_files_that_cannot_be_uploaded_are_refused_before_anything_is_sent(
    cloud: Simulator, session: Session, tmp_path: Path
) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.write_bytes(b"")
    full.write_bytes(b"12345")
    before = len(cloud.requests)
    upload = session.software.v2.files.upload
    for request, most, reason in (
        (upload_of(tmp_path / "missing"), 10, "cannot read .*missing: No such file or directory"),
        (upload_of(tmp_path), 10, "is not a file"),
        (upload_of(empty), 10, f"{UPLOAD}: the file has 0 bytes; it may have 1 to 10"),
        (upload_of(full), 4, f"{UPLOAD}: the file has 5 bytes; it may have 1 to 4"),
        (upload_of(b"12345"), 4, f"{UPLOAD}: the file has 5 bytes; it may have 1 to 4"),
    ):
        with pytest.raises(errors.InvalidRequest, match=reason):
            await upload(ACCOUNT, request, most_bytes=most)
    assert len(cloud.requests) == before
    await upload(ACCOUNT, upload_of(full), most_bytes=5)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def _touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("place", [0, 262_144, 524_288])
@pytest.mark.parametrize("change", [_grow, _replace, _touch, Path.unlink])
async def test_a_file_that_changes_while_it_is_sent_never_arrives_complete(
    cloud: Simulator, session: Session, tmp_path: Path, change: Callable[[Path], object], place: int
) -> None:
    path = tmp_path / "interval.conf"
    path.write_bytes(LARGE)
    read = LocalFile._read

    def change_and_read(file: LocalFile, start: int, count: int) -> bytes:
        if start == place:
            change(path)
        return read(file, start, count)

    reason = "cannot read" if change is Path.unlink else "was changed while it was sent"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalFile, "_read", change_and_read)
        with pytest.raises(errors.InvalidRequest, match=reason) as caught:
            await session.software.v2.files.upload(ACCOUNT, upload_of(path))
    # The HTTP client's error would hold the headers with the tokens.
    assert type(caught.value.__context__) in (NoneType, FileNotFoundError)
    assert cloud.count(UPLOAD) <= 1
    assert stored(cloud) == []
    path.write_bytes(LARGE)
    await session.software.v2.files.upload(ACCOUNT, upload_of(path))
    assert stored(cloud) == [LARGE]


# Trouble on the way


async def test_an_upload_whose_token_has_expired_is_sent_again_from_the_start(
    cloud: Simulator, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "interval.conf"
    path.write_bytes(LARGE)
    cloud.expire_sessions()
    seen: list[int] = []
    await session.software.v2.files.upload(ACCOUNT, upload_of(path), on_progress=lambda sent, _: seen.append(sent))
    assert stored(cloud) == [LARGE]
    assert cloud.count(UPLOAD) == 2
    assert (seen.count(0), seen.count(len(LARGE))) == (2, 2)


async def test_an_upload_whose_answer_is_lost_is_not_sent_again(cloud: Simulator, session: Session) -> None:
    cloud.faults.add(UPLOAD, Reset(processed=True), times=1)
    with pytest.raises(errors.AnswerLost):
        await session.software.v2.files.upload(ACCOUNT, upload_of(LARGE))
    assert cloud.count(UPLOAD) == 1
    assert stored(cloud) == [LARGE]


async def test_an_upload_that_the_platform_refuses_raises_its_error(cloud: Simulator, session: Session) -> None:
    cloud.faults.add(UPLOAD, Status(413), times=1)
    with pytest.raises(errors.BadRequest):
        await session.software.v2.files.upload(ACCOUNT, upload_of(LARGE))
    assert stored(cloud) == []


async def test_a_cancelled_upload_never_arrives_complete_and_the_session_goes_on(
    cloud: Simulator, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "interval.conf"
    path.write_bytes(LARGE)
    begun = asyncio.Event()

    def on_progress(sent: int, _: int) -> None:
        if sent:
            begun.set()
            task.cancel()

    task = asyncio.create_task(session.software.v2.files.upload(ACCOUNT, upload_of(path), on_progress=on_progress))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun.is_set()
    assert stored(cloud) == []
    assert await session.software.v2.files.list(ACCOUNT) == ()
