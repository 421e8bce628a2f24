"""Usage of hyper precise location, in answers and in callback messages."""

from __future__ import annotations

import attrs

from thingspace_async._core.codec import Model

__all__ = ["AggregateUsage", "ReportError", "ReportErrorDetails"]


@attrs.frozen(kw_only=True)
class AggregateUsage(Model):
    """The usage of a device in the time of a report."""

    imei: str | None = None
    number_of_sessions: int | None = None
    bytes_transferred: int | None = None


@attrs.frozen(kw_only=True)
class ReportErrorDetails(Model):
    """Details of a ReportError."""

    error_code: str | None = None
    """For example `INVALID_PARAMETER`."""
    error_message: str | None = None
    http_status_code: str | None = None
    """For example `404 NOT_FOUND`."""
    detail_error_message: str | None = None


@attrs.frozen(kw_only=True)
class ReportError(Model):
    """Why a report lacks a device."""

    imei: str | None = None
    error_message: str | None = None
    error_response: ReportErrorDetails | None = None
