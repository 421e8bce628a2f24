"""The page's lines for MQTT, against a broker that runs in a process of its own and has a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import sys
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.surface.rooms import PACKAGE
from thingspace_async import Secret
from thingspace_async.v2x import Certificate, EnrolledClient

pytestmark = pytest.mark.processes

ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"
TOPIC = "vehicles/near"

BROKER = """
import asyncio, json, sys
from amqtt.broker import Broker

async def main():
    listener = {"type": "tcp", "bind": "127.0.0.1:0", "ssl": True, **json.loads(sys.argv[1])}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker({"listeners": {"default": listener}, "plugins": plugins})
    await broker.start()
    (server,) = broker._servers.values()
    print(server.instance.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class Authority:
    """An authority that signs certificates for the broker and for clients."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("authority", self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now, issuer = datetime.now(UTC), subject if key is self._key else self._certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=key is self._key)
            .add_extension(_usage(signs=key is self._key), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, name: str) -> tuple[str, str]:
        """Return a certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        certificate = self._sign(name, key, address).public_bytes(serialization.Encoding.PEM)
        return certificate.decode(), key.private_bytes(*pem).decode()


def _usage(*, signs: bool) -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    never = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, **never)


def stored(folder: Path, **texts: str) -> dict[str, str]:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in texts}


@asynccontextmanager
async def broker(folder: Path, authority: Authority) -> AsyncIterator[str]:
    """Run a broker, and yield its URL."""
    certificate, key = authority.issue("broker")
    files = stored(folder, certfile=certificate, keyfile=key, cafile=authority.pem)
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKER, orjson.dumps(files), stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = int(await started.stdout.readline())
        yield f"mqtts://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def enrolled(authority: Authority, url: str) -> EnrolledClient:
    certificate, key = authority.issue(ID)
    made = Certificate(certificate=certificate, private_key=Secret(key), authority=authority.pem)
    return await EnrolledClient.of(ID, made, (url,))


def listener() -> Any:
    """Return the function of the page."""
    import aiomqtt  # It is not installed where this module is only collected.

    page = (PACKAGE / "v2x" / "README.md").read_text()
    (code,) = re.findall(r"```\w+\n(async def listen.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"aiomqtt": aiomqtt, "urllib": urllib}
    exec(code, names)
    return names["listen"]


async def test_the_lines_of_the_page_receive_messages_with_the_certificate_of_an_enrolled_client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import aiomqtt

    authority = Authority()
    async with broker(tmp_path, authority) as url:
        client, place = await enrolled(authority, url), urllib.parse.urlsplit(url)
        listening = asyncio.create_task(listener()(client, TOPIC))
        printed = ""
        try:
            async with (
                asyncio.timeout(60),
                aiomqtt.Client(place.hostname or "", place.port or 0, tls_context=client.context) as sending,
            ):
                while "\n" not in printed:  # Messages before the subscription are lost.
                    assert not listening.done()
                    await sending.publish(TOPIC, b"12345")
                    await asyncio.sleep(0.05)
                    printed += capsys.readouterr().out
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        assert printed.splitlines()[0] == f"{TOPIC} 5"


# paho-mqtt leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.leaves_sockets
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broker_with_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    import aiomqtt

    async with broker(tmp_path, Authority()) as url:
        client = await enrolled(Authority(), url)
        with pytest.raises(aiomqtt.MqttError) as refused:
            async with asyncio.timeout(60):
                await listener()(client, TOPIC)
        cause = refused.value.__cause__ or refused.value.__context__
        assert isinstance(cause, ssl.SSLCertVerificationError) or "verify failed" in str(refused.value)
