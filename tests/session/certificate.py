"""A self-signed certificate for 127.0.0.1, made with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

# The curve P-256 (FIPS 186): y² = x³ - 3x + b over the field of _P, the point _G of order _N.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

Point = tuple[int, int] | None


def _add(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % _P == 0:
        return None
    if one == two:
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, _P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, _P)
    x = (slope**2 - one[0] - two[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(factor: int, point: Point) -> tuple[int, int]:
    found: Point = None
    while factor:
        if factor & 1:
            found = _add(found, point)
        point, factor = _add(point, point), factor >> 1
    assert found is not None
    return found


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def _number(value: int) -> bytes:
    return _der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


_ECDSA: Final = _der(0x30, bytes.fromhex("06082a8648ce3d040302"))  # ecdsa-with-SHA256
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_SIZE: Final = 32


def _sign(key: int, data: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    nonce = secrets.randbelow(_N - 1) + 1
    r = _times(nonce, _G)[0] % _N
    return _der(0x30, _number(r), _number(pow(nonce, -1, _N) * (digest + r * key) % _N))


def _extension(oid: str, value: bytes) -> bytes:
    return _der(0x30, bytes.fromhex(oid), _der(4, value))


def _certificate(key: int, public: bytes, until: datetime) -> bytes:
    name = _der(0x30, _der(0x31, _der(0x30, bytes.fromhex("0603550403"), _der(0x0C, b"a test's own"))))
    times = [_der(0x18, when.strftime("%Y%m%d%H%M%SZ").encode()) for when in (until - timedelta(days=30), until)]
    holder = _der(0x30, _der(0x30, bytes.fromhex("06072a8648ce3d0201"), _P256), _der(3, b"\0", public))
    extensions = _der(
        0x30,
        _extension("0603551d11", _der(0x30, _der(0x87, bytes([127, 0, 0, 1])))),  # subject alternative name
        _extension("0603551d0e", _der(4, hashlib.sha256(public).digest()[:20])),  # subject key identifier
    )
    signed = _der(
        0x30, _der(0xA0, _number(2)), _number(secrets.randbits(60) + 1), _ECDSA, name, _der(0x30, *times), name,
        holder, _der(0xA3, extensions),
    )  # fmt: skip
    return _der(0x30, signed, _ECDSA, _der(3, b"\0", _sign(key, signed)))


def _pem(label: str, data: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(data).decode()}-----END {label}-----\n"


@attrs.frozen
class Identity:
    """A server's certificate, and a client context that trusts it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


def identity(folder: Path, *, days: int = 20) -> Identity:
    """Make a certificate that is valid for this many more days."""
    key = secrets.randbelow(_N - 1) + 1
    public = b"\x04" + b"".join(value.to_bytes(_SIZE, "big") for value in _times(key, _G))
    private = _der(0x30, _number(1), _der(4, key.to_bytes(_SIZE, "big")), _der(0xA0, _P256))
    certificate = _pem("CERTIFICATE", _certificate(key, public, datetime.now(UTC) + timedelta(days=days)))
    file = folder / "identity.pem"
    file.write_text(_pem("EC PRIVATE KEY", private) + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return Identity(server, ssl.create_default_context(cadata=certificate))
