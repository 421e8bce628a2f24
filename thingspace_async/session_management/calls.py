"""The operations behind `Session.log_in`, `log_out`, `reset_password` and `revoke_oauth_token`.

They are called through the session, which guards them; there is no second way.
"""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._operation import Operation
from thingspace_async.session_management.models import (
    LogInRequest,
    LogInResult,
    LogOutResult,
    OAuthToken,
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

__all__ = ["LOG_IN", "LOG_OUT", "OAUTH_REVOKE", "OAUTH_TOKEN", "OPERATIONS", "RESET_PASSWORD"]

# Not repeatable: a login that was refused counts towards the lock-out even when its answer was lost.
LOG_IN: Final = Operation("session.log_in", "POST", "/m2m/v1/session/login", LogInRequest, LogInResult)
LOG_OUT: Final = Operation("session.log_out", "POST", "/m2m/v1/session/logout", NoneType, LogOutResult, repeatable=True)
RESET_PASSWORD: Final = Operation(
    "session.reset_password",
    "PUT",
    "/m2m/v1/session/password/actions/reset",
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)
OAUTH_TOKEN: Final = Operation(
    "oauth.token", "POST", "/oauth2/token", NoneType, OAuthToken, repeatable=True, server="oauth"
)
OAUTH_REVOKE: Final = Operation(
    "oauth.revoke", "POST", "/oauth2/revoke", NoneType, NoneType, repeatable=True, server="oauth"
)

OPERATIONS: Final = (OAUTH_TOKEN, OAUTH_REVOKE, LOG_IN, LOG_OUT, RESET_PASSWORD)
