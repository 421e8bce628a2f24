"""Handlers for aggregated billing and usage triggers. Triggers fire on the usage of the location service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.billing.calls import (
    ADD_ACCOUNTS,
    CANCEL,
    CREATE,
    DELETE,
    GET,
    LIST,
    MANAGED_ACCOUNTS,
    PROVISION,
    UPDATE,
)
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.agenda import Daily
from thingspace_async.simulator.mechanisms.collection import Collection, Thing
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.location.account import ALLOWANCE
from thingspace_async.simulator.rooms.location.state import API, Locations
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS", "Billing", "Managed"]

_SUCCESS: Final = {"status": "Success", "reason": "Success"}


@attrs.define
class Managed:
    """A managed account."""

    transaction_id: str
    provisioned: bool = False


_HOUR: Final = 1


class Billing:
    """The managed accounts, and the daily check of usage triggers."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.managed: defaultdict[tuple[str, str], dict[str, Managed]] = defaultdict(dict)
        """The managed accounts by name, for each primary account and service in lower case."""
        self.daily: Final = Daily(platform.agenda, platform.clock, _HOUR, self._check)
        self._fired: dict[tuple[str, str], tuple[int, int]] = {}
        """The month in which each trigger with each threshold fired last."""

    def _check(self, moment: datetime) -> bool:
        """Fire the triggers whose percentage was reached by the end of yesterday. Return whether there are any."""
        triggers = [
            (account_name, thing)
            for account_name in self._platform.accounts
            for thing in TRIGGERS.things(self._platform, account_name).values()
        ]
        for account_name, thing in triggers:
            # Only the location service is counted.
            if thing.values["serviceName"].casefold() == "location":
                self._fire_if_reached(account_name, thing, moment)
        return bool(triggers)

    def _fire_if_reached(self, account_name: str, thing: Thing, moment: datetime) -> None:
        """Fire a trigger once in a month. ASSUMPTION: the members of the message are those of the trigger."""
        day, wanted = (moment - timedelta(days=1)).date(), thing.values["thresholdValue"]
        used = self._platform.room(Locations).used_between(account_name, day.replace(day=1), day)
        key, month = (thing.id, wanted), (day.year, day.month)
        if used * 100 < ALLOWANCE * int(wanted) or self._fired.get(key) == month:
            return
        self._fired[key] = month
        names = ("accountName", "serviceName", "triggerId", "triggerName", "thresholdValue")
        message = {name: thing.values[name] for name in names if name in thing.values}
        message |= {"usedAllowance": str(used), "timestamp": stamp(moment)}
        self._platform.outbox.send(account_name, "Location", message, due=moment, api=API)


def add_accounts(call: Call) -> Answer:
    """Add managed accounts. An unknown account fails, and the others are added."""
    wanted = call.document()
    listed = required(wanted, "managedAccList", list)
    if not listed or not all(isinstance(one, str) for one in listed):
        raise unexpected("must be a list of account names", at=(wanted, "managedAccList"))
    managed, transaction_id = _managed(call, wanted, "accountName"), call.platform.new_id()
    results: list[dict[str, str]] = []
    for name in listed:
        if name in call.platform.accounts:
            managed[name] = Managed(transaction_id)
            results.append({"id": name, **_SUCCESS})
        else:
            results.append({"id": name, "status": "Failed", "reason": "Account not found"})
    return Answer(200, {"txid": transaction_id, "statusList": results})


def provision(call: Call) -> Answer:
    """Begin the service of an added account."""
    return _change(call, provisioned=True)


def cancel(call: Call) -> Answer:
    """End the service of an account, and remove it from the managed accounts."""
    return _change(call, provisioned=False)


def _change(call: Call, *, provisioned: bool) -> Answer:
    wanted = call.document()
    managed = _managed(call, wanted, "paccountName")
    name, transaction_id = required(wanted, "accountName", str), required(wanted, "txid", str)
    found = managed.get(name)
    if found is None or found.transaction_id != transaction_id:
        raise refuse("INVALID_PARAMETER", "The account was not added in this transaction.")
    found.provisioned = provisioned
    if not provisioned:
        del managed[name]
    shown = {name: wanted[name] for name in ("txid", "accountName", "paccountName", "serviceName")}
    return Answer(200, {**shown, **_SUCCESS})


def managed_accounts(call: Call) -> Answer:
    """List the managed accounts of a primary account."""
    account_name = call.check_account(call.path["account_name"])
    managed = call.platform.room(Billing).managed[account_name, call.path["service_name"].casefold()]
    added = [_shown(name, one) for name, one in managed.items() if not one.provisioned]
    provisioned = [_shown(name, one) for name, one in managed.items() if one.provisioned]
    body = {"accountName": account_name, "ManagedAccAddedList": added, "managedAccProvisionedList": provisioned}
    return Answer(200, body)


def _managed(call: Call, wanted: Mapping[str, Any], primary: str) -> dict[str, Managed]:
    account_name, service = call.check_account(required(wanted, primary, str)), required(wanted, "serviceName", str)
    required(wanted, "type", str)
    return call.platform.room(Billing).managed[account_name, service.casefold()]


def _shown(name: str, one: Managed) -> dict[str, str]:
    return {"id": name, "txid": one.transaction_id}


_DEFAULTS: Final = {
    "triggerName": "",
    "allowExcess": True,
    "sendSmsNotification": False,
    "smsPhoneNumbers": "",
    "sendEmailNotification": False,
    "emailAddresses": "",
}


def _trigger(thing: Thing) -> dict[str, Any]:
    dates = {name: thing.values[name].partition("T")[0] for name in ("createDate", "updateDate")}
    return {**_DEFAULTS, **thing.values, **dates}


TRIGGERS: Final = Collection(
    name="usage trigger",
    needs={"accountName": str, "serviceName": str, "thresholdValue": str},
    may_change=("accountName", "triggerName", "thresholdValue", "smsPhoneNumbers", "emailAddresses"),
    id="triggerId",
    path="trigger_id",
    times=("createDate", "updateDate"),
    show=_trigger,
    unknown=lambda name: refuse("INVALID_PARAMETER", f"The {name} could not be found."),
)


def _check_threshold(call: Call) -> None:
    wanted = call.document()
    threshold = optional(wanted, "thresholdValue", str)
    if threshold is not None and not (threshold.isascii() and threshold.isdigit()):
        raise unexpected("must be a whole number, as a string", at=(wanted, "thresholdValue"))


def create(call: Call) -> Answer:
    """Create a trigger, and check the usage once a day from now on."""
    _check_threshold(call)
    answer = _create(call)
    call.platform.room(Billing).daily.start()
    return answer


def update(call: Call) -> Answer:
    """Change a trigger."""
    _check_threshold(call)
    return _update(call)


_create: Final = TRIGGERS.create()
_update: Final = TRIGGERS.update()

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ADD_ACCOUNTS: add_accounts,
    PROVISION: provision,
    CANCEL: cancel,
    MANAGED_ACCOUNTS: managed_accounts,
    CREATE: create,
    UPDATE: update,
    DELETE: TRIGGERS.delete(body={"success": True}),
    LIST: TRIGGERS.list(),
    GET: TRIGGERS.get(),
}
