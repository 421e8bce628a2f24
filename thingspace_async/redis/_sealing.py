"""Tokens at rest: in clear, or encrypted with the user's keys."""

from __future__ import annotations

from collections.abc import Sequence

from thingspace_async._auth import header_safe
from thingspace_async._types import Secret
from thingspace_async.errors import ConfigurationError

__all__ = ["Seal", "hidden"]


def hidden(keys: Sequence[bytes | str]) -> list[Secret]:
    """Return keys such that no frame shows them; what can be none becomes an empty one."""
    return [
        Secret(key.decode("latin-1") if isinstance(key, bytes) else key if isinstance(key, str) else "") for key in keys
    ]


class Seal:
    """Encrypts with the first of its Fernet keys and decrypts with any; without one, tokens stay in clear."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._fernet = None
        if not keys:
            return
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError as error:
            raise ConfigurationError("encryption_keys needs cryptography: see the extra `redis`") from error
        try:
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        except ValueError:
            raise ConfigurationError(
                "encryption_keys must be a list of keys as cryptography's Fernet.generate_key() makes them"
            ) from None

    def close(self, secret: Secret) -> Secret:
        """Return what is kept of a token."""
        if self._fernet is None:
            return Secret("clear:" + secret.reveal())
        return Secret("fernet:" + self._fernet.encrypt(secret.reveal().encode()).decode())

    def open(self, kept: Secret) -> Secret | None:
        """Return the token, or None where it was sealed in another way, or by somebody else."""
        how, _, text = kept.reveal().partition(":")
        if how != ("clear" if self._fernet is None else "fernet"):
            return None
        if self._fernet is not None:
            from cryptography.fernet import InvalidToken

            try:
                text = self._fernet.decrypt(text.encode()).decode()
            except (InvalidToken, ValueError):
                return None
        return Secret(text) if header_safe(text) else None
