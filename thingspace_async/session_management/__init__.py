"""Session management: the requests that `Session` sends to log in, log out and change the password.

https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/start-connectivity-management-session.html
"""

from thingspace_async.session_management.calls import OPERATIONS
from thingspace_async.session_management.models import (
    LogInRequest,
    LogInResult,
    LogOutResult,
    OAuthToken,
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

__all__ = [
    "OPERATIONS",
    "LogInRequest",
    "LogInResult",
    "LogOutResult",
    "OAuthToken",
    "SessionResetPasswordRequest",
    "SessionResetPasswordResult",
]
