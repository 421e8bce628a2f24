"""Models of session management and OAuth."""

from __future__ import annotations

from typing import Any

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.values import Secret

__all__ = [
    "LogInRequest",
    "LogInResult",
    "LogOutResult",
    "OAuthToken",
    "SessionResetPasswordRequest",
    "SessionResetPasswordResult",
]


@attrs.frozen(kw_only=True)
class LogInRequest(Model):
    """A Unified Web Services user."""

    username: str
    """Name of the user."""
    password: Secret
    """Password of the user."""


@attrs.frozen(kw_only=True)
class LogInResult(Model):
    """The VZ-M2M session token. It expires after 20 minutes without a call."""

    session_token: Secret


@attrs.frozen(kw_only=True)
class LogOutResult(Model):
    """The session token that is no longer valid."""

    session_token: Secret | None = None


@attrs.frozen(kw_only=True)
class SessionResetPasswordRequest(Model):
    """A password to replace."""

    old_password: Secret
    """The present password."""


@attrs.frozen(kw_only=True)
class SessionResetPasswordResult(Model):
    """The new password, which the platform has chosen. It is valid at once."""

    new_password: Secret


@attrs.frozen(kw_only=True)
class OAuthToken(Model):
    """The gateway's access token."""

    access_token: Secret = attrs.field(metadata=named_on_wire("access_token"))
    token_type: str | None = attrs.field(default=None, metadata=named_on_wire("token_type"))
    expires_in: Any = attrs.field(default=None, metadata=named_on_wire("expires_in"))
    """Remaining seconds: less than an hour if the key's token was issued earlier. Some gateways send a string."""

    @property
    def seconds(self) -> float | None:
        """Remaining seconds, at most a day, or None if the answer has no usable number."""
        try:
            seconds = float(str(self.expires_in))
        except ValueError:
            return None
        return min(seconds, 86_400.0) if seconds > 0 else None

    scope: str | None = None
