"""The meaning of an error for a request that a run may send again."""

from __future__ import annotations

from enum import Enum

from thingspace_async._core.refusals import rejected_token
from thingspace_async.errors import (
    ApiError,
    ConfigurationError,
    Forbidden,
    InvalidRequest,
    LoginRefused,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
)

__all__ = ["Meaning", "meaning_of"]


class Meaning(Enum):
    """Meaning of an error for its request."""

    TEMPORARY = "the request was not carried out, but may succeed later"
    REFUSED = "the platform refused the request"
    LOST = "the outcome of the request is unknown"
    END = "the request was not carried out, and no other request will succeed"


def meaning_of(error: ThingSpaceError, operation: str) -> Meaning:
    """Return the meaning of an error for a request of an operation."""
    if isinstance(error, SessionMisused):
        return Meaning.LOST if isinstance(error, SessionClosed) and error.sent else Meaning.END
    if isinstance(error, LoginRefused | Forbidden | ConfigurationError | InvalidRequest):
        return Meaning.END
    # The session may have to log in first. The errors of logins have other operations.
    if getattr(error, "operation", None) != operation or isinstance(error, RequestNotSent | RateLimited):
        return Meaning.TEMPORARY
    if isinstance(error, ApiError):
        if rejected_token(error) is not None:
            return Meaning.TEMPORARY
        return Meaning.LOST if isinstance(error, ServerFault) else Meaning.REFUSED
    return Meaning.LOST
