"""Software management v2, for devices with Verizon's HTTP client: `session.software.v2`.

A campaign distributes software or a configuration file. Devices act when they check in.

    from datetime import timedelta

    from thingspace_async.software import DeviceListRequest
    from thingspace_async.software.v2 import ConfigurationFileUpload, FileCampaignRequest

    account_name = "0000123456-00001"
    http = session.software.v2
    devices = [device async for device in http.devices.list(account_name)][:2]
    await http.licenses.assign(account_name, DeviceListRequest(devices=devices))
    uploaded = await http.files.upload(
        account_name,
        ConfigurationFileUpload(
            file=b"interval=60",
            file_name="interval.conf",
            file_version="1.0",
            make=devices[0].make,
            model=devices[0].model,
            local_target_path="/etc/interval.conf",
        ),
    )
    today = cloud.clock.now().date()
    campaign = await http.campaigns.schedule_file(
        account_name,
        FileCampaignRequest(
            file_name=uploaded.file_name,
            file_version=uploaded.file_version,
            distribution_type="HTTP",
            start_date=today,
            end_date=today + timedelta(days=7),
            devices=devices,
        ),
    )
    print(campaign.id, campaign.status)
"""

from thingspace_async.software.v2.calls import OPERATIONS, Version2
from thingspace_async.software.v2.models import (
    AccountDevice,
    AccountDevicePage,
    Campaign,
    CampaignDatesRequest,
    CampaignPage,
    CampaignRequest,
    ChangeDevicesAccepted,
    CheckIn,
    ConfigurationFile,
    ConfigurationFileUpload,
    DeviceLog,
    DeviceSoftwareUpgrade,
    DistributionType,
    FileCampaignRequest,
    HourWindow,
    InstalledSoftware,
    LicensePage,
    LicenseResult,
    LoggedDevice,
    LoggingRequest,
    SoftwareCampaignRequest,
    SoftwarePackage,
    UploadedFile,
)

__all__ = [
    "OPERATIONS",
    "AccountDevice",
    "AccountDevicePage",
    "Campaign",
    "CampaignDatesRequest",
    "CampaignPage",
    "CampaignRequest",
    "ChangeDevicesAccepted",
    "CheckIn",
    "ConfigurationFile",
    "ConfigurationFileUpload",
    "DeviceLog",
    "DeviceSoftwareUpgrade",
    "DistributionType",
    "FileCampaignRequest",
    "HourWindow",
    "InstalledSoftware",
    "LicensePage",
    "LicenseResult",
    "LoggedDevice",
    "LoggingRequest",
    "SoftwareCampaignRequest",
    "SoftwarePackage",
    "UploadedFile",
    "Version2",
]
