"""How secrets are kept on servers: in clear, or encrypted with the user's keys."""

from __future__ import annotations

from collections.abc import Sequence

from thingspace_async._core.values import Secret
from thingspace_async.errors import ConfigurationError

__all__ = ["Cipher", "as_secrets"]


def as_secrets(keys: Sequence[bytes | str]) -> list[Secret]:
    """Return keys in a form that no traceback shows. An invalid key becomes an empty one, which `Cipher` refuses."""
    return [
        Secret(key.decode("latin-1") if isinstance(key, bytes) else key if isinstance(key, str) else "") for key in keys
    ]


class Cipher:
    """Encrypts with the first of its Fernet keys, and decrypts with any. Without keys, secrets stay in clear."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._fernet = None
        if not keys:
            return
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError as error:
            raise ConfigurationError(
                "encryption_keys needs cryptography: install the extra `redis` or `postgres`"
            ) from error
        try:
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        except ValueError:
            raise ConfigurationError(
                "encryption_keys must be a list of keys from cryptography's Fernet.generate_key()"
            ) from None

    def encrypt(self, secret: Secret) -> Secret:
        """Return a secret as the server keeps it."""
        if self._fernet is None:
            return Secret("clear:" + secret.reveal())
        return Secret("fernet:" + self._fernet.encrypt(secret.reveal().encode()).decode())

    def decrypt(self, kept: Secret) -> Secret | None:
        """Return the secret, or None if it was kept in another form or with other keys."""
        form, _, text = kept.reveal().partition(":")
        if form != ("clear" if self._fernet is None else "fernet"):
            return None
        if self._fernet is not None:
            from cryptography.fernet import InvalidToken

            try:
                text = self._fernet.decrypt(text.encode()).decode()
            except (InvalidToken, ValueError):
                return None
        return Secret(text)
