"""Models of session management and OAuth."""

from __future__ import annotations

import attrs

from thingspace_async._codec import wire
from thingspace_async._types import Secret

__all__ = [
    "LogInRequest",
    "LogInResult",
    "LogOutResult",
    "OAuthToken",
    "SessionResetPasswordRequest",
    "SessionResetPasswordResult",
]


@attrs.frozen(kw_only=True)
class LogInRequest:
    """A Unified Web Services user and its password."""

    username: str
    password: Secret


@attrs.frozen(kw_only=True)
class LogInResult:
    """The VZ-M2M session token, which dies after 20 minutes without a call."""

    session_token: Secret


@attrs.frozen(kw_only=True)
class LogOutResult:
    """The session token that was ended."""

    session_token: Secret | None = None


@attrs.frozen(kw_only=True)
class SessionResetPasswordRequest:
    """The password that is to be replaced."""

    old_password: Secret


@attrs.frozen(kw_only=True)
class SessionResetPasswordResult:
    """The password that the platform chose, valid from now on."""

    new_password: Secret


@attrs.frozen(kw_only=True)
class OAuthToken:
    """The gateway's access token."""

    access_token: Secret = attrs.field(metadata=wire("access_token"))
    token_type: str | None = attrs.field(default=None, metadata=wire("token_type"))
    expires_in: int | None = attrs.field(default=None, metadata=wire("expires_in"))
    """Seconds left, which is less than an hour when somebody asked for the same token before."""
    scope: str | None = None
