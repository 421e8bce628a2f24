"""Handlers for the locations of devices (PROTOCOL.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.location.calls import (
    ADD_EXCLUSIONS,
    CANCEL,
    CANCEL_REPORT,
    CREATE_CONSENT,
    CREATE_REPORT,
    DEREGISTER,
    GET_CONSENTS,
    LIST_CALLBACKS,
    LIST_EXCLUSIONS,
    LOCATE,
    REGISTER,
    REMOVE_EXCLUSIONS,
    REPORT_LOCATIONS,
    REPORT_STATUS,
    REQUEST_LOCATIONS,
    START_PERIODIC,
    SUBSCRIPTION,
    UPDATE_CONSENT,
    USAGE,
)
from thingspace_async.simulator.rooms.location import account, consents, locating
from thingspace_async.simulator.rooms.location.state import Locations
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS", "Locations"]

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LOCATE: locating.locate,
    REQUEST_LOCATIONS: locating.request_locations,
    CANCEL: locating.cancel,
    START_PERIODIC: locating.start_periodic,
    CREATE_REPORT: locating.create_report,
    REPORT_STATUS: locating.report_status,
    REPORT_LOCATIONS: locating.list_report,
    CANCEL_REPORT: locating.cancel_report,
    GET_CONSENTS: consents.get_consents,
    CREATE_CONSENT: consents.create_consent,
    UPDATE_CONSENT: consents.update_consent,
    ADD_EXCLUSIONS: consents.add_exclusions,
    REMOVE_EXCLUSIONS: consents.remove_exclusions,
    LIST_EXCLUSIONS: consents.list_exclusions,
    REGISTER: account.register,
    LIST_CALLBACKS: account.list_listeners,
    DEREGISTER: account.deregister,
    SUBSCRIPTION: account.show_subscription,
    USAGE: account.show_usage,
}
