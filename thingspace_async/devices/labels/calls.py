"""Calls for usage segmentation labels."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Final

from thingspace_async._core.checks import fault_of_text
from thingspace_async._core.codec import dump
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.devices.labels.models import AssociateLabelRequest, DeviceLabel, LabelList
from thingspace_async.errors import InvalidRequest

__all__ = ["OPERATIONS", "Labels"]

ADD: Final = Operation(
    "devices.labels.add",
    "POST",
    "/m2m/v1/devices/actions/usagesegmentationlabels",
    AssociateLabelRequest,
    Accepted,
)
REMOVE: Final = Operation(
    "devices.labels.remove",
    "DELETE",
    "/m2m/v1/devices/actions/usagesegmentationlabels",
    NoneType,
    Accepted,
)

OPERATIONS: Final = (ADD, REMOVE)


class Labels(Namespace):
    """Usage segmentation labels, which split the usage of devices into parts."""

    async def add(self, request: AssociateLabelRequest) -> Accepted:
        """Put up to 50 labels on devices, so that their usage can be requested by label.

        Each device's result arrives later on CarrierService. The platform's page names only EIDs as identifiers here,
        and allows 2,000 pairs of device and label.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/set-usage-segmentation-labels.html
        """
        return await self._send(ADD, request)

    async def remove(self, account_name: str, labels: Iterable[DeviceLabel]) -> Accepted:
        """Remove up to 50 labels from all devices of an account.

        The result arrives later on CarrierService. Raises InvalidRequest without labels, and for more than 50.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/remove-usage-segmentation-labels.html
        """
        if (fault := fault_of_text(account_name)) is not None:
            raise InvalidRequest(f"{REMOVE.name}: account_name {fault}")
        # The page shows a body, the SDKs use the query. Neither shows how to write an object in the query. JSON is used
        # here because the platform's page on diagnostics settings writes a list of devices so.
        query = {"accountName": account_name, "LabelList": dump(LabelList(labels=labels)).decode()}
        return await self._send(REMOVE, query=query)
