"""Enrol a client: register it or renew its certificate, and make the settings of its MQTT connection."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol, Self
from uuid import UUID

import attrs

from thingspace_async._core.keeping import Keep, hand_over
from thingspace_async.errors import AnswerUnreadable, ApiError, ClientNotReady, NotFound, RequestPending
from thingspace_async.v2x.models import Certificate, Client, ClientLookup, RegisterClientRequest, RegisteredClient

__all__ = ["EnrolledClient", "enrolled"]

_CALL: Final = "v2x.enrol"
_REGISTER: Final = "v2x.clients.register"

_DESCRIPTORS: Final = Path("/proc/self/fd")

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts to finish a registration."""


class Clients(Protocol):
    """The calls for clients."""

    async def register(self, request: RegisterClientRequest) -> RegisteredClient: ...

    async def get(self, vendor_id: str, lookup: ClientLookup) -> Client: ...

    async def renew(self, vendor_id: str, device_id: UUID | str) -> RegisteredClient: ...


@attrs.frozen(kw_only=True)
class EnrolledClient:
    """A client that can connect to MQTT."""

    device_id: str
    """A UUID. Use it as the MQTT client id."""
    certificate: Certificate
    urls: tuple[str, ...]
    """The MQTT servers that serve the place."""
    context: ssl.SSLContext
    """For MQTT over TLS. It has the certificate and its key, and trusts the authority of the servers only."""

    @classmethod
    async def of(cls, device_id: str, certificate: Certificate, urls: tuple[str, ...]) -> Self:
        """Make the settings of a client. Raises ClientNotReady if OpenSSL gets no file with the certificate."""
        made = await asyncio.to_thread(_context, certificate)
        if isinstance(made, OSError):  # Raised here, because frames of the handler show the key.
            raise ClientNotReady(
                f"{_CALL}: keep has stored the certificate of {device_id}, but its TLS settings could not be made, "
                f"because no temporary file could be written ({made.strerror}): make room in the temporary folder, or "
                "name another one in TMPDIR, and enrol the client again",
                device_id=device_id,
                urls=urls,
                secret=certificate,
            )
        return cls(device_id=device_id, certificate=certificate, urls=urls, context=made)


async def enrolled(
    clients: Clients, request: RegisterClientRequest, keep: Keep[RegisteredClient], seconds: float
) -> tuple[str, Certificate]:
    """Register a client or renew its certificate, and hand over its certificate and key."""
    begun = await _obtained(clients, request)
    device_id, certificate = await _completed(clients, request, begun, seconds)
    made = RegisteredClient(device_id=device_id, certificate=certificate)
    await hand_over(_CALL, "the certificate and its key", made, keep)
    return device_id, certificate


async def _obtained(clients: Clients, request: RegisterClientRequest) -> RegisteredClient:
    """Register the client unless it is registered already."""
    if (found := await _found(clients, request)) is not None:
        return found
    try:
        return await clients.register(request)
    except ApiError as error:
        # Another process may have registered the client in the meantime.
        if "already registered" not in error.message.casefold():
            raise
        refusal = error
    try:
        if (found := await _found(clients, request)) is not None:
            return found
        if request.device_id is not None:
            with suppress(NotFound):  # Another client has one of the identifiers.
                return await clients.renew(request.vendor_id, request.device_id)
        refusal.add_note(
            f"thingspace_async: if {request.vendor_id} registered the client a moment ago, its registration may be "
            "pending: enrol it again later. Otherwise, another client has one of its identifiers: look it up with "
            "v2x.clients.get"
        )
        raise refusal
    finally:
        del refusal  # Its traceback refers to this frame, which would be a reference cycle.


async def _found(clients: Clients, request: RegisterClientRequest) -> RegisteredClient | None:
    """Look up a client by its identifier. Leave out its certificate, because it may be near its end."""
    if (lookup := ClientLookup.of(request)) is None:
        return None
    try:
        found = await clients.get(request.vendor_id, lookup)
    except NotFound:
        return None
    return RegisteredClient(device_id=found.device_id or request.device_id)


async def _completed(
    clients: Clients, request: RegisterClientRequest, client: RegisteredClient, seconds: float
) -> tuple[str, Certificate]:
    """Renew the certificate of a client, or finish its registration, until it has a certificate."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + seconds, _FIRST_PAUSE
    device_id = client.device_id or request.device_id
    if device_id is None:
        raise AnswerUnreadable("is missing: the client cannot be used without it", operation=_REGISTER, path="DeviceID")
    if client.certificate is None:
        client = await clients.renew(request.vendor_id, device_id)
    while client.certificate is None:
        if loop.time() + pause > until:
            raise RequestPending(
                f"{_CALL}: the registration of {device_id} is still pending after {seconds:g} s: enrol it again later, "
                "with this device_id"
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        client = await clients.renew(request.vendor_id, device_id)
    return device_id, client.certificate


def _context(certificate: Certificate) -> ssl.SSLContext | OSError:
    """Make the TLS settings, or return why no file could be written."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=certificate.authority)
        with _file(f"{certificate.private_key.reveal()}\n{certificate.certificate}\n") as path:
            # Without a password, OpenSSL would ask on the terminal for that of an encrypted key.
            context.load_cert_chain(path, password="")
    except (ssl.SSLError, ValueError):
        failed = True
    except OSError as error:
        return OSError(error.errno, error.strerror or str(error))  # Without its traceback.
    else:
        failed = False
    if failed:  # Outside the handler, whose frames may show the key.
        raise AnswerUnreadable(
            "the certificate, its key or its authority is not valid PEM, or they do not match",
            operation=_CALL,
            path="Certificate",
        )
    return context


@contextmanager
def _file(pem: str) -> Iterator[str]:
    """Write a file, because OpenSSL takes certificates of clients from files only.

    The file is in memory if the system can do that. Otherwise it is in a temporary folder, and only this user can read
    it.
    """
    descriptor = _in_memory()
    if descriptor is not None:
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
            file.flush()
            yield str(_DESCRIPTORS / str(descriptor))
        return
    with TemporaryDirectory() as folder:
        path = Path(folder, "client.pem")
        path.touch(mode=0o600)
        path.write_text(pem)
        yield str(path)


def _in_memory() -> int | None:
    """Open an empty file in memory. Return None if the system has none, or none that OpenSSL can open."""
    if sys.platform != "linux" or not _DESCRIPTORS.exists():
        return None
    try:
        return os.memfd_create("client.pem")
    except OSError:
        return None
