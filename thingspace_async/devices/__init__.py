"""Devices: which there are, their service, what they use, and what has become of them.

    from datetime import timedelta

    from thingspace_async import DeviceId
    from thingspace_async.devices import DeactivateRequest

    async for device in session.devices.list(account_name="0000123456-00001"):
        if device.state == "suspend":
            break
    known = DeviceId.iccid(device.identifier("iccid"))
    accepted = await session.devices.deactivate(
        DeactivateRequest(account_name="0000123456-00001", devices=[known], reason_code="FF")
    )
    cloud.clock.advance(timedelta(minutes=5))
    print(accepted.request_id, (await session.devices.get(known)).state)

Listing, finding and changing devices is on `session.devices` itself; their usage, history and labels are on
`session.devices.usage`, `.history` and `.labels`.
"""

from thingspace_async._models import Address, CustomerName, PlaceOfUse
from thingspace_async.devices.calls import OPERATIONS, Devices
from thingspace_async.devices.history.models import (
    ConnectionEvent,
    ConnectionHistoryResult,
    DeviceConnectionListRequest,
    DeviceProvisioningHistoryListRequest,
    DeviceProvisioningHistoryListResult,
    ProvisioningHistory,
    ProvisioningHistoryRequest,
)
from thingspace_async.devices.inventory.models import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    AccountDeviceListResult,
    AddDevicesOutcome,
    AddDevicesRequest,
    AddDevicesResult,
    CarrierInformation,
    ContactInfoUpdateRequest,
    CustomFieldsUpdateRequest,
    DateFilter,
    DeleteDevicesOutcome,
    DeleteDevicesRequest,
    DeleteDevicesResult,
    Device,
    DeviceCostCenterRequest,
    DeviceExtendedDiagnosticsRequest,
    DeviceExtendedDiagnosticsResult,
    DeviceIdSearch,
    DeviceMismatchListRequest,
    DeviceMismatchListResult,
    DevicePrlListRequest,
    DiagnosticsCategory,
    GlobalDeviceListRequest,
    MismatchedDevice,
    ProfileStatusFilter,
    ProvisioningStatusFilter,
)
from thingspace_async.devices.labels.models import AccountLabels, AssociateLabelRequest, DeviceLabel, LabelList
from thingspace_async.devices.lifecycle.models import (
    ActivateRequest,
    AvailabilityRequest,
    ChangeDeviceIdRequest,
    CheckOrderStatusRequest,
    DeactivateRequest,
    DeviceFilter,
    DeviceFilterWithoutAccount,
    DeviceUploadRequest,
    GoToStateRequest,
    MoveDeviceRequest,
    RestoreRequest,
    ServicePlanUpdateRequest,
    SuspendRequest,
    SuspensionStatusRequest,
    UploadAndActivateRequest,
)
from thingspace_async.devices.usage.models import (
    AggregateUsageRequest,
    BilledUsageLabels,
    BilledUsageListRequest,
    BillingCycle,
    DailyUsageHistory,
    DailyUsageRequest,
    DailyUsageResponse,
    DeviceAggregateUsageListRequest,
    DeviceUsageListRequest,
    DeviceUsageListResult,
    PromoAggregateUsageRequest,
    PromoUsage,
    PromoUsageRequest,
    PromoUsageResponse,
    UsageRecord,
)

__all__ = [
    "OPERATIONS",
    "AccountDeviceListFilter",
    "AccountDeviceListRequest",
    "AccountDeviceListResult",
    "AccountLabels",
    "ActivateRequest",
    "AddDevicesOutcome",
    "AddDevicesRequest",
    "AddDevicesResult",
    "Address",
    "AggregateUsageRequest",
    "AssociateLabelRequest",
    "AvailabilityRequest",
    "BilledUsageLabels",
    "BilledUsageListRequest",
    "BillingCycle",
    "CarrierInformation",
    "ChangeDeviceIdRequest",
    "CheckOrderStatusRequest",
    "ConnectionEvent",
    "ConnectionHistoryResult",
    "ContactInfoUpdateRequest",
    "CustomFieldsUpdateRequest",
    "CustomerName",
    "DailyUsageHistory",
    "DailyUsageRequest",
    "DailyUsageResponse",
    "DateFilter",
    "DeactivateRequest",
    "DeleteDevicesOutcome",
    "DeleteDevicesRequest",
    "DeleteDevicesResult",
    "Device",
    "DeviceAggregateUsageListRequest",
    "DeviceConnectionListRequest",
    "DeviceCostCenterRequest",
    "DeviceExtendedDiagnosticsRequest",
    "DeviceExtendedDiagnosticsResult",
    "DeviceFilter",
    "DeviceFilterWithoutAccount",
    "DeviceIdSearch",
    "DeviceLabel",
    "DeviceMismatchListRequest",
    "DeviceMismatchListResult",
    "DevicePrlListRequest",
    "DeviceProvisioningHistoryListRequest",
    "DeviceProvisioningHistoryListResult",
    "DeviceUploadRequest",
    "DeviceUsageListRequest",
    "DeviceUsageListResult",
    "Devices",
    "DiagnosticsCategory",
    "GlobalDeviceListRequest",
    "GoToStateRequest",
    "LabelList",
    "MismatchedDevice",
    "MoveDeviceRequest",
    "PlaceOfUse",
    "ProfileStatusFilter",
    "PromoAggregateUsageRequest",
    "PromoUsage",
    "PromoUsageRequest",
    "PromoUsageResponse",
    "ProvisioningHistory",
    "ProvisioningHistoryRequest",
    "ProvisioningStatusFilter",
    "RestoreRequest",
    "ServicePlanUpdateRequest",
    "SuspendRequest",
    "SuspensionStatusRequest",
    "UploadAndActivateRequest",
    "UsageRecord",
]
