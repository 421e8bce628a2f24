"""Calls about usage segmentation labels."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Final

from thingspace_async._checks import fault_of_text
from thingspace_async._codec import dump
from thingspace_async._namespace import Namespace
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted
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
    """Usage segmentation labels, by which the usage of devices can be told apart."""

    async def add(self, request: AssociateLabelRequest) -> Accepted:
        """Put up to 50 labels on devices, so that the usage of a part of them can be asked for by label.

        Each device's result arrives later on CarrierService. The platform's page knows EIDs alone as identifiers here,
        and allows 2,000 pairs of device and label.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/set-usage-segmentation-labels.html
        """
        return await self._send(ADD, request)

    async def remove(self, account_name: str, labels: Iterable[DeviceLabel]) -> Accepted:
        """Take up to 50 labels off the devices of an account that bear them.

        The result arrives later on CarrierService. Raises InvalidRequest for no label and for more than 50.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/remove-usage-segmentation-labels.html
        """
        if (fault := fault_of_text(account_name)) is not None:
            raise InvalidRequest(f"{REMOVE.name}: account_name {fault}")
        # The page shows a body, the SDKs the query, and neither how an object is written there. JSON is how the
        # platform's page on diagnostics settings writes a list of devices in a query.
        query = {"accountName": account_name, "LabelList": dump(LabelList(labels=labels)).decode()}
        return await self._send(REMOVE, query=query)
