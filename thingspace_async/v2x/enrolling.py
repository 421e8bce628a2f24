"""Enrol a client: register it or renew its certificate, and make the settings of its MQTT connection."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol, Self
from uuid import UUID

import attrs

from thingspace_async._core.keeping import Keep, hand_over
from thingspace_async.errors import AnswerUnreadable, ApiError, NotFound, RequestPending
from thingspace_async.v2x.models import Certificate, Client, ClientLookup, RegisterClientRequest, RegisteredClient

__all__ = ["EnrolledClient", "enrolled"]

_CALL: Final = "v2x.enrol"
_REGISTER: Final = "v2x.clients.register"

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
        """Make the settings of a client."""
        context = await asyncio.to_thread(_context, certificate)
        return cls(device_id=device_id, certificate=certificate, urls=urls, context=context)


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
            return RegisteredClient(device_id=request.device_id)
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


def _context(certificate: Certificate) -> ssl.SSLContext:
    """Make the TLS settings. OpenSSL takes certificates of clients from files only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=certificate.authority)
        with TemporaryDirectory() as folder:  # Only this user can read it.
            chain, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
            chain.write_text(certificate.certificate)
            key.touch(mode=0o600)
            key.write_text(certificate.private_key.reveal())
            context.load_cert_chain(chain, key)
    except (ssl.SSLError, ValueError):
        failed = True
    else:
        failed = False
    if failed:  # Outside the handler, whose frames may show the key.
        raise AnswerUnreadable(
            "the certificate, its key or its authority is not valid PEM", operation=_CALL, path="Certificate"
        )
    return context
