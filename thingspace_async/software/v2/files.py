"""Calls for configuration files."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Final

from thingspace_async._core.multipart import Part, multipart
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, Server, check_request
from thingspace_async._core.reading import read_answer
from thingspace_async._core.upload import Bytes, LocalFile, Progress
from thingspace_async.errors import InvalidRequest
from thingspace_async.software.checking import query_of
from thingspace_async.software.v2.models import (
    ConfigurationFile,
    ConfigurationFileUpload,
    DistributionType,
    UploadedFile,
)

__all__ = ["OPERATIONS", "Files"]

_SERVER: Final[Server] = "software_management_v2"

LIST: Final = Operation(
    "software.v2.files.list",
    "GET",
    "/files/{account_name}",
    NoneType,
    tuple[ConfigurationFile, ...],
    server=_SERVER,
    repeatable=True,
    unwrap="AvailableFilesResponse",
)
UPLOAD: Final = Operation(
    "software.v2.files.upload",
    "POST",
    "/files/{account_name}",
    ConfigurationFileUpload,
    UploadedFile,
    server=_SERVER,
)

OPERATIONS: Final = (LIST, UPLOAD)

MOST_BYTES: Final = 64 * 1024 * 1024


class Files(Namespace):
    """Configuration files, which campaigns distribute to HTTP devices."""

    async def list(
        self, account_name: str, *, distribution_type: DistributionType | str = DistributionType.HTTP
    ) -> tuple[ConfigurationFile, ...]:
        """List the files that the account has uploaded.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        query = query_of(LIST, distributionType=distribution_type)
        return await self._send(LIST, path={"account_name": account_name}, query=query)

    async def upload(
        self,
        account_name: str,
        request: ConfigurationFileUpload,
        *,
        on_progress: Progress | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> UploadedFile:
        """Upload a configuration file. The platform gives it a name, which is in the answer.

        `on_progress` gets the sent bytes and all bytes after each part. It starts at 0 again if the client must send
        the request once more, because a token has expired. Raises InvalidRequest if the file is missing, empty, or
        larger than `most_bytes`, and if it changes while it is sent: then the platform gets an incomplete request,
        which it cannot use. The platform's own limit is not documented. Slow uploads of large files need a longer
        `timeout`: see `Session.with_options`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/upload-a-new-file-v2.html
        """
        check_request(UPLOAD, request)
        content = await LocalFile.at(request.file) if isinstance(request.file, Path) else Bytes(request.file)
        if not 1 <= content.size <= most_bytes:
            raise InvalidRequest(
                f"{UPLOAD.name}: the file has {content.size:,} bytes; it may have 1 to {most_bytes:,}: see most_bytes"
            )
        parts = {
            "fileVersion": request.file_version,
            "make": request.make,
            "model": request.model,
            "localTargetPath": request.local_target_path,
        }
        body, content_type = multipart(
            tuple(Part(name=name, content=value.encode()) for name, value in parts.items()),
            Part(name="fileupload", filename=request.name, content_type="application/octet-stream"),
            content,
            on_progress,
        )
        answer, tries = await self._caller.send(
            UPLOAD, body, path={"account_name": account_name}, headers={"Content-Type": content_type}
        )
        return read_answer(UPLOAD, answer, tries)
