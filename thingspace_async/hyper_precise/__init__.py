"""Hyper precise location: corrections of satellite positions (RTK and DGNSS), to a few centimeters.

The platform shows the password of a device only once. `credentials.reset` makes a new one, and hands it over first.

    from thingspace_async.hyper_precise import CredentialsRequest, HyperPreciseRequest, HyperPreciseSetting

    account_name = "0000123456-00001"
    imei = cloud.devices[0].imei
    setting = HyperPreciseSetting(imei=imei, enabled=True)
    status = await session.hyper_precise.update(HyperPreciseRequest(account_name=account_name, devices=[setting]))
    print([device.imei for device in status.devices if not device.failed])
    wanted = CredentialsRequest(ecpd_id="12345", account_name=account_name, devices=[imei])
    for made in await session.hyper_precise.credentials.create(wanted):
        print(made.imei, made.username, made.password)
"""

from thingspace_async.hyper_precise.calls import OPERATIONS, HyperPrecise
from thingspace_async.hyper_precise.models import (
    AddedDevice,
    AddHyperPreciseDevicesRequest,
    AddHyperPreciseDevicesResult,
    AggregateReport,
    AggregateReportRequest,
    AggregateUsage,
    CredentialDevice,
    CredentialsRequest,
    DeviceCredential,
    DroppedCredential,
    GeneratedCredential,
    HyperPreciseCallback,
    HyperPreciseCallbackRegistered,
    HyperPreciseDevice,
    HyperPreciseRequest,
    HyperPreciseResponse,
    HyperPreciseService,
    HyperPreciseSetting,
    HyperPreciseStatus,
    NtripLogin,
    RegisterHyperPreciseCallbackRequest,
    ReportAccepted,
    ReportError,
    ReportErrorDetails,
    SessionReport,
    SessionReportRequest,
    SessionUsage,
)

__all__ = [
    "OPERATIONS",
    "AddHyperPreciseDevicesRequest",
    "AddHyperPreciseDevicesResult",
    "AddedDevice",
    "AggregateReport",
    "AggregateReportRequest",
    "AggregateUsage",
    "CredentialDevice",
    "CredentialsRequest",
    "DeviceCredential",
    "DroppedCredential",
    "GeneratedCredential",
    "HyperPrecise",
    "HyperPreciseCallback",
    "HyperPreciseCallbackRegistered",
    "HyperPreciseDevice",
    "HyperPreciseRequest",
    "HyperPreciseResponse",
    "HyperPreciseService",
    "HyperPreciseSetting",
    "HyperPreciseStatus",
    "NtripLogin",
    "RegisterHyperPreciseCallbackRequest",
    "ReportAccepted",
    "ReportError",
    "ReportErrorDetails",
    "SessionReport",
    "SessionReportRequest",
    "SessionUsage",
]
