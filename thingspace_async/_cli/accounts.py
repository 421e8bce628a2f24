"""`thingspace accounts`: the accounts of a user."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from typing import Any, Final

import attrs

from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._run import checked_account, run

__all__ = ["accounts"]


@attrs.frozen(kw_only=True)
class _Account:
    name: str
    devices: int

    def to_dict(self) -> dict[str, Any]:
        """Return the account with the names of the platform's JSON."""
        return {"accountName": self.name, "devices": self.devices}


_COLUMNS: Final[Columns[_Account]] = {
    "account": lambda account: account.name,
    "devices": lambda account: account.devices,
}


@with_groups
def accounts(access: Access, output: Output) -> None:
    """Print the accounts that the user can see, with their numbers of devices.

    The platform has no list of accounts. So the command reads all devices, and an account without devices is not
    listed. `--account` counts the devices of one account.
    """

    async def work() -> None:
        output.check(_COLUMNS)
        only = checked_account(access.account)  # Not the variable or the profile: both name an account for most users.
        counts: Counter[str] = Counter()
        async with access.session() as session, aclosing(session.devices.list(account_name=only)) as listed:
            async for device in listed:
                counts[device.account_name or "unknown"] += 1
        await output.rows(each([_Account(name=name, devices=counts[name]) for name in sorted(counts)]), _COLUMNS)

    run(work)
