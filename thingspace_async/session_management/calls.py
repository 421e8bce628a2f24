"""Operations for logins, the password and the OAuth token.

Only the session sends them, because it holds the tokens. Use `session.log_in()`, `log_out()`, `reset_password()` and
`revoke_oauth_token()`.
"""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.operation import Operation
from thingspace_async.session_management.models import (
    LogInRequest,
    LogInResult,
    LogOutResult,
    OAuthToken,
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

__all__ = ["LOG_IN", "LOG_OUT", "OAUTH_REVOKE", "OAUTH_TOKEN", "OPERATIONS", "RESET_PASSWORD"]

OAUTH_TOKEN: Final = Operation(
    "oauth.token", "POST", "/oauth2/token", NoneType, OAuthToken, repeatable=True, server="oauth"
)
OAUTH_REVOKE: Final = Operation(
    "oauth.revoke", "POST", "/oauth2/revoke", NoneType, NoneType, repeatable=True, server="oauth"
)
# Not repeatable: a refused login counts towards the lock-out even if its answer is lost.
LOG_IN: Final = Operation("session.log_in", "POST", "/m2m/v1/session/login", LogInRequest, LogInResult)
LOG_OUT: Final = Operation("session.log_out", "POST", "/m2m/v1/session/logout", NoneType, LogOutResult, repeatable=True)
RESET_PASSWORD: Final = Operation(
    "session.reset_password",
    "PUT",
    "/m2m/v1/session/password/actions/reset",
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

OPERATIONS: Final = (OAUTH_TOKEN, OAUTH_REVOKE, LOG_IN, LOG_OUT, RESET_PASSWORD)
