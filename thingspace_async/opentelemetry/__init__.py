"""Spans and metrics of calls, receivers, outcomes and fleet runs, through the API of OpenTelemetry."""

from thingspace_async.opentelemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
