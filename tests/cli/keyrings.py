"""A keyring for tests, which the keyring library loads by its name in PYTHON_KEYRING_BACKEND."""

from __future__ import annotations

import json
import os

from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError

__all__ = ["BACKEND", "SECRETS", "VariableKeyring"]

BACKEND = "tests.cli.keyrings.VariableKeyring"
SECRETS = "TESTS_KEYRING"
"""Environment variable with the secrets as JSON, by service and name."""


class VariableKeyring(KeyringBackend):
    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        secrets = json.loads(os.environ[SECRETS])
        found: str | None = secrets.get(f"{service} {username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError(f"{SECRETS} cannot be changed")
