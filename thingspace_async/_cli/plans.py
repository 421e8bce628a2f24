"""`thingspace plans`: the service plans of an account."""

from __future__ import annotations

from typing import Final

from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._run import run
from thingspace_async.accounts import ServicePlan

__all__ = ["plans"]

_COLUMNS: Final[Columns[ServicePlan]] = {
    "code": lambda plan: plan.code,
    "name": lambda plan: plan.name,
    "size in KB": lambda plan: plan.size_kb,
    "carrier code": lambda plan: plan.carrier_service_plan_code,
}


@with_groups
def plans(access: Access, output: Output) -> None:
    """Print the service plans that are available to devices of an account. Commands take their code as --plan."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            await output.rows(each(await session.accounts.service_plans(account)), _COLUMNS)

    run(work)
