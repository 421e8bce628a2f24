"""Two Python SDKs, unchanged, against the simulator: Verizon's own, and APIMatic's newer one; 36 calls each.

Verizon's own also calls the location service, billing, Cloud Connector, diagnostics, private networks, Quality of
Service, SIM-Secure and software management. Both call V2X.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from tests.simulator.listener import Listener
from tests.simulator.sdk_rooms import APIMATIC_V2X, HYPER_PRECISE, SDKSIO_V2X, TRIGGERS_AND_INTELLIGENCE
from thingspace_async._core.operation import Operation
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.v2x import calls as v2x

pytestmark = pytest.mark.slow

ACCOUNT = "0000123456-00001"
OTHER = "0000222222-00001"

PRELUDE = """
import json, os, urllib.request
from urllib.parse import urlsplit

base, account, listener = os.environ["THINGSPACE_ENVIRONMENT"], os.environ["ACCOUNT"], os.environ["LISTENER"]
user, password = os.environ["THINGSPACE_USERNAME"], os.environ["THINGSPACE_PASSWORD"]


def admin(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + "/__admin" + path, data=data, method=method)
    return json.load(urllib.request.urlopen(request))


def pass_time():
    admin("POST", "/clock", {"advance": 61})
    admin("POST", "/deliveries/wait")
"""

SDKSIO = """
from verizon.configuration import Configuration
from verizon.exceptions.connectivity_management_result_exception import ConnectivityManagementResultException
from verizon.http.auth.session_token import SessionTokenCredentials
from verizon.http.auth.thingspace_oauth import ThingspaceOauthCredentials
from verizon.http.auth.vz_m2m_token import VZM2mTokenCredentials
from verizon.models.account_device_list import AccountDeviceList
from verizon.models.account_device_list_request import AccountDeviceListRequest
from verizon.models.carrier_actions_request import CarrierActionsRequest
from verizon.models.create_device_group_request import CreateDeviceGroupRequest
from verizon.models.device_group_update_request import DeviceGroupUpdateRequest
from verizon.models.device_id import DeviceId
from verizon.models.device_usage_list_request import DeviceUsageListRequest
from verizon.models.log_in_request import LogInRequest
from verizon.models.register_callback_request import RegisterCallbackRequest
from verizon.models.service_plan_update_request import ServicePlanUpdateRequest
from verizon.models.session_reset_password_request import SessionResetPasswordRequest
from verizon.models.sms_send_request import SMSSendRequest
from verizon.verizon_client import VerizonClient

for urls in Configuration.environments.values():
    for server, url in urls.items():
        urls[server] = base + urlsplit(url).path
key = ThingspaceOauthCredentials(os.environ["THINGSPACE_CLIENT_ID"], os.environ["THINGSPACE_CLIENT_SECRET"])


def client(token=None):
    return VerizonClient(
        thingspace_oauth_credentials=key,
        vz_m2m_token_credentials=VZM2mTokenCredentials(token) if token else None,
        session_token_credentials=SessionTokenCredentials(token) if token else None,
    )


def log_in(password):
    body = LogInRequest(username=user, password=password)
    anyone = client("00000000-0000-0000-0000-000000000000").session_management
    return read(anyone.start_connectivity_management_session(body=body)).session_token


def read(answer):
    return answer.body


api = client(log_in(password))                                                                            # 1
active = admin("GET", "/devices?state=active&limit=3")["devices"]
"""

SDKSIO_CONNECTIVITY = """
named = [DeviceId(id=one["imei"], kind="imei") for one in active]
first = [AccountDeviceList(device_ids=[named[0]])]
devices, groups, callbacks, sms = api.device_management, api.device_groups, api.connectivity_callbacks, api.sms

page = read(devices.list_devices_information(AccountDeviceListRequest(max_number_of_devices=5)))           # 2
assert len(page.devices) == 5 and page.has_more_data, page
one = read(devices.list_devices_information(AccountDeviceListRequest(device_id=named[0])))                 # 3
assert one.devices[0].carrier_informations[0].state == "active"
assert read(api.accounts.get_account_information(account)).account_name == account                        # 4
assert read(api.accounts.list_account_states_and_services(account))                                       # 5
assert read(api.accounts.list_account_leads(account))                                                     # 6
assert len(read(api.service_plans.list_account_service_plans(account))) == 4                              # 7
register = RegisterCallbackRequest(name="CarrierService", url=listener)
assert read(callbacks.register_callback(account, register)).service_name == "CarrierService"              # 8
assert read(callbacks.list_registered_callbacks(account))[0].url == listener                              # 9
suspended = read(devices.suspend_service_for_devices(CarrierActionsRequest(devices=first))).request_id    # 10
status = read(api.account_requests.get_current_asynchronous_request_status(account, suspended))           # 11
assert status.status == "Pending", status
pass_time()
status = read(api.account_requests.get_current_asynchronous_request_status(account, suspended))           # 12
assert status.status == "Success", status
assert read(devices.list_devices_information(AccountDeviceListRequest(device_id=named[0]))).devices[0] \\
    .carrier_informations[0].state == "suspend"                                                           # 13
read(devices.restore_service_for_suspended_devices(CarrierActionsRequest(devices=first)))                 # 14
pass_time()
change = ServicePlanUpdateRequest(service_plan="M2M_5G_1GB", devices=first)
assert read(devices.change_devices_service_plan(change)).request_id                                       # 15
usage = DeviceUsageListRequest(
    earliest="2026-01-01T00:00:00Z", latest="2026-01-10T00:00:00Z", device_id=named[0])
assert read(devices.list_devices_usage_history(usage)).usage_history                                      # 16
assert read(sms.send_sms_to_device(
    SMSSendRequest(account_name=account, sms_message="hello", device_ids=[named[0]]))).request_id         # 17
pass_time()
admin("POST", "/sms", {"device": active[0]["imei"], "text": "22 degrees"})
assert read(sms.list_devices_sms_messages(account)).messages[0].message == "22 degrees"                   # 18
assert read(sms.start_queued_sms_delivery(account)).success                                               # 19
made = CreateDeviceGroupRequest(account_name=account, group_name="SDK", group_description="made by the SDK")
assert read(groups.create_device_group(made)).success                                                     # 20
assert "SDK" in [group.name for group in read(groups.list_device_groups(account))]                        # 21
assert read(groups.update_device_group(account, "SDK", DeviceGroupUpdateRequest(devices_to_add=named))).success  # 22
assert len(read(groups.get_device_group_information(account, "SDK")).devices) == 3                        # 23
assert read(groups.delete_device_group(account, "SDK")).success                                           # 24
assert read(callbacks.deregister_callback(account, "CarrierService")).service_name == "CarrierService"    # 25


def refused(work):
    try:
        work()
    except ConnectivityManagementResultException as error:
        return error.error_code
    raise AssertionError("it was not refused")


admin("POST", "/sessions/expire")
assert refused(lambda: api.accounts.get_account_information(account)).endswith("SessionToken.Expired")    # 26
api = client(log_in(password))                                                                            # 27
password = read(api.session_management.reset_connectivity_management_password(
    SessionResetPasswordRequest(old_password=password))).new_password                                     # 28
for _ in range(5):
    refused(lambda: log_in("wrong"))                                                                      # 29 to 33
assert refused(lambda: log_in(password))                                                                  # 34
admin("PATCH", "/users/" + user, {"locked": False})
api = client(log_in(password))                                                                            # 35
assert read(api.session_management.end_connectivity_management_session()).session_token                   # 36
print("done")
"""

SDKSIO_LOCATION = """
from verizon.models.account_consent_create import AccountConsentCreate
from verizon.models.account_consent_update import AccountConsentUpdate
from verizon.models.bill_usage_request import BillUsageRequest
from verizon.models.consent_request import ConsentRequest
from verizon.models.device_info import DeviceInfo
from verizon.models.device_location_callback import DeviceLocationCallback
from verizon.models.location_request import LocationRequest
from verizon.exceptions.device_location_result_exception import DeviceLocationResultException

trucks = [DeviceInfo(id=one["imei"], kind="imei", mdn=one["mdn"]) for one in active]
wanted = LocationRequest(account_name=account, device_list=trucks, cache_mode="2")
locations, exclusions = api.devices_locations, api.exclusions
callbacks, subscriptions = api.device_location_callbacks, api.devices_location_subscriptions

for name in ("Location", "DeviceLocation"):
    assert read(callbacks.register_callback(account, DeviceLocationCallback(name=name, url=listener))).name == name
assert len(read(callbacks.list_registered_callbacks(account))) == 2
assert [one.msid for one in read(locations.list_devices_locations_synchronous(wanted))] == [one.mdn for one in trucks]
assert read(locations.list_devices_locations_asynchronous(wanted)).status == "QUEUED"
cancelled = read(locations.list_devices_locations_asynchronous(wanted)).txid
assert read(callbacks.cancel_async_report(account, cancelled)).txid == cancelled
cancelled = read(locations.create_location_report(wanted)).txid
assert read(locations.cancel_queued_location_report_generation(account, cancelled)).txid == cancelled
report = read(locations.create_location_report(wanted)).txid
assert read(locations.get_location_report_status(account, report)).status == "QUEUED"
pass_time()
assert len(read(locations.retrieve_location_report(account, report, 0)).dev_location_list) == len(trucks)
assert read(exclusions.devices_location_give_consent_async(AccountConsentCreate(account_name=account))).transaction_id
pass_time()
update = AccountConsentUpdate(account_name=account, all_device_consent=1)
assert read(exclusions.devices_location_update_consent(update)).transaction_id
assert read(exclusions.devices_location_get_consent_async(account)).all_device_consent == 3
excluded = ConsentRequest(account_name=account, mtype="append", exclusion=[trucks[0].id])
assert read(exclusions.exclude_devices(excluded)).success
try:
    locations.list_devices_locations_synchronous(wanted)
except DeviceLocationResultException as error:
    assert error.error_message == "Consent check failed", error
else:
    raise AssertionError("it was not refused")
assert read(exclusions.list_excluded_devices(account, "0")).exclusion == [trucks[0].id]
assert read(exclusions.remove_devices_from_exclusion_list(account, trucks[0].id)).success
assert read(subscriptions.get_location_service_subscription_status(account)).max_allowance == "5000"
span = BillUsageRequest(account_name=account, start_date="01-01-2026", end_date="01-31-2026")
assert read(subscriptions.get_location_service_usage(span))["accountName"] == account
assert read(callbacks.deregister_callback(account, "Location")).success
print("done")
"""

SDKSIO_DIAGNOSTICS = """
from verizon.exceptions.device_diagnostics_result_exception import DeviceDiagnosticsResultException
from verizon.models.callback_registration_request import CallbackRegistrationRequest
from verizon.models.device import Device
from verizon.models.device_reset_request import DeviceResetRequest
from verizon.models.history_search_filter import HistorySearchFilter
from verizon.models.history_search_filter_attributes import HistorySearchFilterAttributes
from verizon.models.history_search_request import HistorySearchRequest
from verizon.models.numerical_data import NumericalData
from verizon.models.observation_request import ObservationRequest
from verizon.models.observation_request_attribute import ObservationRequestAttribute

modems = [Device(id=one["imei"], kind="IMEI") for one in active]
for one in active:
    admin("POST", "/reachability", {"device": one["imei"], "reachable": True})
observations, callbacks = api.diagnostics_observations, api.diagnostics_callbacks
wanted = ObservationRequest(
    account_name=account,
    devices=modems,
    attributes=[ObservationRequestAttribute(name="LINK_QUALITY")],
    frequency=NumericalData(value=15, unit="SECOND"),
    duration=NumericalData(value=30, unit="SECOND"),
)
try:
    observations.start_diagnostics_observation(wanted)
except DeviceDiagnosticsResultException as error:
    assert error.error_code == "CALLBACK_NOT_REGISTERED", error
else:
    raise AssertionError("it was not refused")
registration = CallbackRegistrationRequest(
    account_name=account, service_name="Diagnostics", endpoint=listener, http_headers={})
assert read(callbacks.register_diagnostics_callback_url(registration)).endpoint == listener
assert read(callbacks.get_diagnostics_subscription_callback_info(account))[0].service_name == "Diagnostics"
assert read(observations.start_diagnostics_observation(wanted)).status == "OBSERVE_PENDING"
pass_time()
listed = json.dumps([{"id": one.id, "kind": one.kind} for one in modems])
settings = read(api.diagnostics_settings.list_diagnostics_settings(account, listed))
assert [one.device.id for one in settings] == [one.id for one in modems]
search = HistorySearchRequest(
    filter=HistorySearchFilter(
        account_name=account, device=modems[0], attributes=HistorySearchFilterAttributes(name="LINK_QUALITY")),
    limit_number=1,
)
found = api.diagnostics_history.get_diagnostics_history(search)
assert len(read(found)) == 1 and found.headers["X-Next"], found.headers
assert read(api.diagnostics_subscriptions.get_diagnostics_subscription(account)).total_used == 6
begun = read(observations.start_diagnostics_observation(wanted)).transaction_id
assert read(observations.stop_diagnostics_observation(begun, account)).status == "CANCEL_OBSERVE_PENDING"
reset = DeviceResetRequest(account_name=account, action="reboot", devices=modems)
assert read(api.diagnostics_factory_reset.decives_restart(reset)).transaction_id
pass_time()
assert read(callbacks.unregister_diagnostics_callback(account, "Diagnostics")).account_name == account
print("done")
"""

SDKSIO_CLOUD_CONNECTOR = """
from verizon.models.account_identifier import AccountIdentifier
from verizon.models.change_configuration_request import ChangeConfigurationRequest
from verizon.models.configuration import Configuration as Settings
from verizon.models.create_io_t_application_request import CreateIoTApplicationRequest
from verizon.models.create_subscription_request import CreateSubscriptionRequest
from verizon.models.create_target_request import CreateTargetRequest
from verizon.models.create_target_request_fields import CreateTargetRequestFields
from verizon.models.delete_subscription_request import DeleteSubscriptionRequest
from verizon.models.delete_target_request import DeleteTargetRequest
from verizon.models.fields_http_headers import FieldsHttpHeaders
from verizon.models.generate_external_id_request import GenerateExternalIDRequest
from verizon.models.query_subscription_request import QuerySubscriptionRequest
from verizon.models.query_target_request import QueryTargetRequest
from verizon.models.remove_device_request import RemoveDeviceRequest
from verizon.models.resource_identifier import ResourceIdentifier
from verizon.models.search_device_event_history_request import SearchDeviceEventHistoryRequest
from verizon.models.search_sensor_history_request import SearchSensorHistoryRequest

owner = AccountIdentifier(billingaccountid=account)
targets, streams, sensors = api.targets, api.cloud_connector_subscriptions, api.cloud_connector_devices

assert read(targets.generate_target_external_id(GenerateExternalIDRequest(accountidentifier=owner))).externalid
wanted = CreateIoTApplicationRequest(
    app_name="newarmapp1", billing_account_id=account, client_id="1", client_secret="2", resourcegroup="3",
    subscription_id="4", tenant_id="5")
assert read(targets.create_azure_central_io_t_application(account, wanted)).shared_secret
target = read(targets.create_target(CreateTargetRequest(
    accountidentifier=owner, billingaccountid=account, kind="ts.target", address=listener,
    addressscheme="streamrest",
    fields=CreateTargetRequestFields(httpheaders=FieldsHttpHeaders(authorization="Basic YTpi")))))
assert read(targets.query_target(QueryTargetRequest(accountidentifier=owner)))[0].id == target.id
stream = read(streams.create_subscription(CreateSubscriptionRequest(
    accountidentifier=owner, billingaccountid=account, email="me@example.com", streamkind="ts.event",
    targetid=target.id, allowaggregation=False)))
assert stream.targetid == target.id
everything = QuerySubscriptionRequest(accountidentifier=owner)
devices = read(sensors.find_device_by_property_values(everything)).device_property
assert read(sensors.search_devices_resources_by_property_values(everything)).device_property[0].id == devices[0].id
first = ResourceIdentifier(imei=devices[0].imei)
readings = sensors.search_sensor_readings("temperature", SearchSensorHistoryRequest(
    accountidentifier=owner, resourceidentifier=first, limitnumber=2))
assert len(read(readings).search_sensor_history) == 2 and readings.headers["X-Next"], readings.headers
changed = read(sensors.update_devices_configuration_value(ChangeConfigurationRequest(
    accountidentifier=owner, resourceidentifier=first, configuration=Settings(frequency="Low"))))
assert changed.state == "pending"
pass_time()
assert read(streams.query_subscription(everything))[0].laststreamingstatus == "success"
events = read(sensors.search_device_event_history(SearchDeviceEventHistoryRequest(
    accountidentifier=owner, resourceidentifier=first, selection={"kind": "ts.event.configuration"}, limitnumber=9)))
assert [one.state for one in events.search_device_event_history] == ["update", "pending"]
sensors.delete_device_from_account(RemoveDeviceRequest(accountidentifier=owner, resourceidentifier=first))
assert len(read(sensors.find_device_by_property_values(everything)).device_property) == len(devices) - 1
streams.delete_subscription(DeleteSubscriptionRequest(
    accountidentifier=owner, resourceidentifier=ResourceIdentifier(id=stream.id)))
targets.delete_target(DeleteTargetRequest(
    accountidentifier=owner, resourceidentifier=ResourceIdentifier(id=target.id)))
assert read(targets.query_target(QueryTargetRequest(accountidentifier=owner))) == []
print("done")
"""

SDKSIO_SENSOR_INSIGHTS = """
from verizon.models.dto_create_user_request import DtoCreateUserRequest
from verizon.models.dto_delete_user_request import DtoDeleteUserRequest
from verizon.models.dto_device_resource_identifier import DtoDeviceResourceIdentifier
from verizon.models.dto_filter import DtoFilter
from verizon.models.dto_last_reported_time_request import DtoLastReportedTimeRequest
from verizon.models.dto_list_devices_request import DtoListDevicesRequest
from verizon.models.dto_list_sensor_devices_request import DtoListSensorDevicesRequest
from verizon.models.dto_list_user_request import DtoListUserRequest
from verizon.models.dto_on_board_sensor_request import DtoOnBoardSensorRequest
from verizon.models.dto_query_metrics import DtoQueryMetrics
from verizon.models.dto_sensor_on_board_status_request import DtoSensorOnBoardStatusRequest
from verizon.models.dto_user_dto import DtoUserDTO
from verizon.models.gatewayidentifier import Gatewayidentifier
from verizon.models.onboarding import Onboarding
from verizon.models.payload import Payload
from verizon.models.resource_on_board_sensor import ResourceOnBoardSensor

devices, sensors, users = api.sensor_insights_devices, api.sensor_insights_sensors, api.sensor_insights_users
some = DtoListDevicesRequest(accountname=account, filter=DtoFilter(limitnumber=2, selection={"refidtype": "gateway"}))
listed = devices.sensor_insights_list_devices_request(some)
assert len(read(listed)) == 2 and listed.headers["X-Next"], listed.headers
gateway = read(api.sensor_insights_gateways.sensor_insights_list_gateway_devices_request(some))[0]
eui = "70B3D57ED0000001"
new = ResourceOnBoardSensor(
    deveui=eui, appeui=eui, appkey=eui * 2, mclass="A", kind="door", description="a door", name="Door")
sensors.sensor_insights_on_board_sensor_request(
    DtoOnBoardSensorRequest(accountname=account, payload=Payload(addsensor=new)))
pass_time()
status = read(sensors.sensor_insights_sensor_on_board_status_request(DtoSensorOnBoardStatusRequest(
    accountname=account, gatewayidentifier=Gatewayidentifier(deviceid=gateway.id),
    onboarding=Onboarding(sensoridentifier=eui))))
assert [one.state for one in status.events] == ["pending", "registered"]
identifier = DtoDeviceResourceIdentifier(deveui=eui)
sensor, = read(sensors.sensor_insights_list_sensor_devices_request(
    DtoListSensorDevicesRequest(accountname=account, resourceidentifier=identifier)))
assert sensor.name == "Door" and sensor.parentdeviceid == gateway.id
last = read(devices.sensor_insights_last_reported_time_request(
    DtoLastReportedTimeRequest(accountname=account, resourceidentifier=identifier)))
assert last.event.deviceid == sensor.id
assert read(api.sensor_insights_health_score.sensor_insights_health_score_summary()).overallsummary
assert read(api.sensor_insights_smart_alert_metrics.sensorinsightsmetricsquery(DtoQueryMetrics(days=7))).total
user = read(users.sensor_insights_create_user_request(
    DtoCreateUserRequest(accountname=account, user=DtoUserDTO(email="a@example.com"))))
assert read(users.sensor_insights_list_user_request(DtoListUserRequest(accountname=account)))[0].id == user.id
users.sensor_insights_delete_user(DtoDeleteUserRequest(accountname=account, id=user.id))
assert not read(users.sensor_insights_list_user_request(DtoListUserRequest(accountname=account)))
print("done")
"""

SDKSIO_SOFTWARE_V3 = """
import datetime
from verizon.models.campaign_firmware_upgrade import CampaignFirmwareUpgrade
from verizon.models.device_imei import DeviceIMEI
from verizon.models.firmware_imei import FirmwareIMEI
from verizon.models.fota_v3_callback_registration_request import FotaV3CallbackRegistrationRequest
from verizon.models.v3_add_or_remove_device_request import V3AddOrRemoveDeviceRequest
from verizon.models.v3_change_campaign_dates_request import V3ChangeCampaignDatesRequest
from verizon.models.v3_license_imei import V3LicenseIMEI
from verizon.models.v3_time_window import V3TimeWindow

firmware, known, campaigns = api.firmware_v3, api.account_devices, api.campaigns_v3
licenses, reports = api.software_management_licenses_v3, api.software_management_reports_v3
callbacks, subscriptions = api.software_management_callbacks_v3, api.software_management_subscriptions_v3

url = FotaV3CallbackRegistrationRequest(url=listener)
assert read(callbacks.register_callback(account, url)).url == listener
assert read(callbacks.update_callback(account, url)).url == listener
assert read(callbacks.list_registered_callbacks(account)).url == listener
package = read(firmware.list_available_firmware(account, "LWM2M"))[0]
devices = read(known.get_account_device_information(account)).device_list
imeis = [one.device_id for one in devices if one.firmware == package.firmware_from]
assert read(known.list_account_devices_information(account, DeviceIMEI(device_list=imeis))).device_count == len(imeis)
synchronized = read(firmware.synchronize_device_firmware(account, FirmwareIMEI(device_list=imeis)))
assert len(synchronized.device_firmwar_version_list) == len(imeis)
assert read(firmware.report_device_firmware(account, imeis[0])).request_id
wanted = V3LicenseIMEI(device_list=imeis)
assert read(licenses.assign_licenses_to_devices(account, wanted)).lic_used_count == len(imeis)
assert read(licenses.get_account_licenses_status(account)).assigned_licenses == len(imeis)
assert read(subscriptions.get_account_subscription_status(account)).license_used_count == len(imeis)
day = datetime.date(2026, 1, 16)
campaign = read(campaigns.schedule_campaign_firmware_upgrade(account, CampaignFirmwareUpgrade(
    firmware_name=package.firmware_name, firmware_from=package.firmware_from, firmware_to=package.firmware_to,
    start_date=day, end_date=day, campaign_time_window_list=[V3TimeWindow(start_time=1, end_time=7)],
    device_list=imeis, auto_assign_license_flag=False, auto_add_devices_flag=False)))
assert campaign.status == "CampaignRequestPending", campaign.status
change = V3AddOrRemoveDeviceRequest(mtype="remove", device_list=imeis[:1])
changed = read(campaigns.update_campaign_firmware_devices(account, campaign.id, change))
assert changed.device_list[0].status == "RemoveDeviceSucceed"
dates = V3ChangeCampaignDatesRequest(start_date=day, end_date=datetime.date(2026, 1, 18))
assert read(campaigns.update_campaign_dates(account, campaign.id, dates)).end_date == datetime.date(2026, 1, 18)
pass_time()
assert read(campaigns.get_campaign_information(account, campaign.id)).status == "CampaignScheduled"
assert len(read(reports.get_campaign_history_by_status(account, "CampaignScheduled")).campaign_list) == 1
assert read(reports.get_campaign_device_status(account, campaign.id)).total_device == len(imeis) - 1
assert read(reports.get_device_firmware_upgrade_history(account, imeis[1]))[0].campaign_id == campaign.id
assert read(campaigns.cancel_campaign(account, campaign.id)).success
removed = read(licenses.remove_licenses_from_devices(account, wanted))
assert not removed.lic_used_count, removed  # The SDK reads 0 as None.
assert read(callbacks.deregister_callback(account)).success
print("done")
"""

SDKSIO_SOFTWARE_V2 = """
import datetime, io, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # The SDK deprecates licenses of v1 and v2.
from verizon.models.campaign_software_upgrade import CampaignSoftwareUpgrade
from verizon.models.device_logging_request import DeviceLoggingRequest
from verizon.models.download_time_window import DownloadTimeWindow
from verizon.models.fota_v2_callback_registration_request import FotaV2CallbackRegistrationRequest
from verizon.models.schedules_software_upgrade_request import SchedulesSoftwareUpgradeRequest
from verizon.models.upload_and_schedule_file_request import UploadAndScheduleFileRequest
from verizon.models.v2_add_or_remove_device_request import V2AddOrRemoveDeviceRequest
from verizon.models.v2_change_campaign_dates_request import V2ChangeCampaignDatesRequest
from verizon.models.v2_license_imei import V2LicenseIMEI
from verizon.models.v2_list_of_licenses_to_remove_request import V2ListOfLicensesToRemoveRequest
from verizon.models.v2_time_window import V2TimeWindow

campaigns, files, logs, checks = api.campaigns_v2, api.configuration_files, api.client_logging, api.server_logging
licenses, reports = api.software_management_licenses_v2, api.software_management_reports_v2
callbacks, subscriptions = api.software_management_callbacks_v2, api.software_management_subscriptions_v2

url = FotaV2CallbackRegistrationRequest(url=listener)
assert read(callbacks.register_callback(account, url)).url == listener
assert read(callbacks.update_callback(account, url)).url == listener
assert read(callbacks.list_registered_callbacks(account)).url == listener
imeis = [one.device_id for one in read(reports.list_account_devices(account)).device_list]
(package,) = read(reports.list_available_software(account, "HTTP"))
assigned = read(licenses.assign_licenses_to_devices(account, V2LicenseIMEI(device_list=imeis)))
assert assigned.lic_used_count == len(imeis), assigned
assert read(licenses.get_account_license_status(account)).assigned_licenses == len(imeis)
assert read(subscriptions.get_account_subscription_status(account)).license_used_count == len(imeis)
planned = V2ListOfLicensesToRemoveRequest(device_list=imeis[:1])
assert read(licenses.create_list_of_licenses_to_remove(account, planned)).count == 1
assert read(licenses.list_licenses_to_remove(account)).device_list == imeis[:1]
assert read(licenses.delete_list_of_licenses_to_remove(account)).success
file = io.BytesIO(b"interval=60")
file.name = "interval.conf"
uploaded = read(files.upload_config_file(account, file, "1", package.make, package.model, "/etc/interval.conf"))
listed = read(files.get_list_of_files(account, "HTTP")).available_files_response
assert [one.file_name for one in listed] == [uploaded.file_name]
day = datetime.date(2026, 1, 16)
campaign = read(campaigns.schedule_file_upgrade(account, UploadAndScheduleFileRequest(
    file_name=uploaded.file_name, file_version="1", distribution_type="HTTP", start_date=str(day), end_date=str(day),
    download_time_window_list=[DownloadTimeWindow(start_time="1", end_time="7")], device_list=imeis)))
software = dict(software_name=package.software_name, software_from="BG96_3.0", software_to="BG96_3.1",
                distribution_type="HTTP", device_list=imeis)
assert read(campaigns.schedule_sw_upgrade_http_devices(account, SchedulesSoftwareUpgradeRequest(
    **software, start_date=str(day), end_date=str(day)))).status == "CampaignRequestPending"
other = read(campaigns.schedule_campaign_firmware_upgrade(account, CampaignSoftwareUpgrade(
    **software, start_date=day, end_date=day, install_time_window_list=[V2TimeWindow(start_time=1, end_time=7)])))
change = V2AddOrRemoveDeviceRequest(mtype="remove", device_list=imeis[:1])
assert read(campaigns.update_campaign_firmware_devices(account, other.id, change)).request_id
dates = V2ChangeCampaignDatesRequest(start_date=day, end_date=datetime.date(2026, 1, 18))
assert read(campaigns.update_campaign_dates(account, other.id, dates)).end_date == datetime.date(2026, 1, 18)
pass_time()
assert read(campaigns.get_campaign_information(account, other.id)).status == "CampaignScheduled"
assert len(read(reports.get_campaign_history_by_status(account, "CampaignScheduled")).campaign_list) == 3
assert read(reports.get_campaign_device_status(account, campaign.id)).total_device == len(imeis)
assert len(read(reports.get_device_firmware_upgrade_history(account, imeis[0]))) == 2
assert read(campaigns.cancel_campaign(account, other.id)).success
wanted = DeviceLoggingRequest(device_ids=imeis[:2])
assert len(read(logs.enable_logging_for_devices(account, wanted))) == 2
assert read(logs.enable_device_logging(account, imeis[0])).device_id == imeis[0]
assert len(read(logs.list_devices_with_logging_enabled(account))) == 2
for _ in range(7):
    admin("POST", "/clock", {"advance": 3600})
api = client(log_in(password))
logs, checks, licenses = api.client_logging, api.server_logging, api.software_management_licenses_v2
callbacks = api.software_management_callbacks_v2
assert read(logs.list_device_logs(account, imeis[0]))[0].binary_log_file_base_64
assert read(checks.get_device_check_in_history(account, imeis[0]))
logs.disable_logging_for_devices(account, imeis[1])
logs.disable_device_logging(account, imeis[0])
removed = read(licenses.remove_licenses_from_devices(account, V2LicenseIMEI(device_list=imeis)))
assert not removed.lic_used_count, removed  # The SDK reads 0 as None.
assert read(callbacks.deregister_callback(account)).success
print("done")
"""

SDKSIO_SOFTWARE_V1 = """
import datetime, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from verizon.models.firmware_upgrade_change_request import FirmwareUpgradeChangeRequest
from verizon.models.firmware_upgrade_request import FirmwareUpgradeRequest
from verizon.models.fota_v1_callback_registration_request import FotaV1CallbackRegistrationRequest
from verizon.models.v1_licenses_assigned_removed_request import V1LicensesAssignedRemovedRequest
from verizon.models.v1_list_of_licenses_to_remove_request import V1ListOfLicensesToRemoveRequest

firmware, reports = api.firmware_v1, api.software_management_reports_v1
licenses, callbacks = api.software_management_licenses_v1, api.software_management_callbacks_v1
subscriptions = api.software_management_subscriptions_v1

url = FotaV1CallbackRegistrationRequest(name="Fota", url=listener, username="me", password="hush")
assert read(callbacks.register_callback(account, url)).service_name == "Fota"
assert read(callbacks.list_registered_callbacks(account))[0].url == listener
package = read(firmware.list_available_firmware(account))[0]
devices = read(reports.list_account_devices(account, "0")).device_list
imeis = [one.device_id for one in devices if one.firmware == package.from_version]
wanted = V1LicensesAssignedRemovedRequest(device_list=imeis)
assert read(licenses.assign_licenses_to_devices(account, wanted)).lic_used_count == len(imeis)
assert read(subscriptions.get_account_license_status(account, "0")).assigned_licenses == len(imeis)
assert read(subscriptions.get_account_subscription_status(account)).license_used_count == len(imeis)
planned = V1ListOfLicensesToRemoveRequest(device_list=imeis[:1])
assert read(licenses.create_list_of_licenses_to_remove(account, planned)).count == 1
assert read(licenses.list_licenses_to_remove(account, "0")).device_list == imeis[:1]
licenses.delete_list_of_licenses_to_remove(account)
upgrade = read(firmware.schedule_firmware_upgrade(FirmwareUpgradeRequest(
    account_name=account, firmware_name=package.firmware_name, firmware_to=package.to_version,
    start_date=datetime.date(2026, 1, 16), end_date=datetime.date(2026, 1, 18), device_list=imeis)))
pass_time()
assert read(firmware.list_firmware_upgrade_details(account, upgrade.id)).status == "Queued"
assert len(read(reports.list_upgrades_for_specified_status(account, "Queued", "0")).report_list) == 1
change = FirmwareUpgradeChangeRequest(mtype="remove", device_list=imeis[:1])
assert read(firmware.update_firmware_upgrade_devices(account, upgrade.id, change)).device_list[0].status == "Success"
assert read(reports.get_device_firmware_upgrade_history(account, imeis[1]))[0].id == upgrade.id
assert read(firmware.cancel_scheduled_firmware_upgrade(account, upgrade.id)).success
removed = read(licenses.remove_licenses_from_devices(account, wanted))
assert not hasattr(removed, "lic_used_count"), removed  # The SDK leaves 0 out.
callbacks.deregister_callback(account, "Fota")
print("done")
"""

SDKSIO_OTHER_ROOMS = """
from verizon.models.activate import Activate
from verizon.models.assign_license_request import AssignLicenseRequest
from verizon.models.change_pwn_device_ipaddress_request import ChangePWNDeviceIpaddressRequest
from verizon.models.change_pwn_device_profile_request import ChangePWNDeviceProfileRequest
from verizon.models.change_pwn_device_state_activate_request import ChangePWNDeviceStateActivateRequest
from verizon.models.change_pwn_device_state_deactivate_request import ChangePWNDeviceStateDeactivateRequest
from verizon.models.flow_info import FlowInfo
from verizon.models.license_device_id import LicenseDeviceId
from verizon.models.license_device_list import LicenseDeviceList
from verizon.models.managed_account_cancel_request import ManagedAccountCancelRequest
from verizon.models.managed_accounts_add_request import ManagedAccountsAddRequest
from verizon.models.managed_accounts_provision_request import ManagedAccountsProvisionRequest
from verizon.models.pwn_device_id import PWNDeviceId
from verizon.models.pwn_device_list import PWNDeviceList
from verizon.models.qos_device_id import QosDeviceId
from verizon.models.qos_device_info import QosDeviceInfo
from verizon.models.security_subscription_request import SecuritySubscriptionRequest
from verizon.models.subscribe_request import SubscribeRequest
from verizon.models.usage_trigger_add_request import UsageTriggerAddRequest
from verizon.models.usage_trigger_update_request import UsageTriggerUpdateRequest

for name in ("CarrierService", "PwnService", "QoS"):
    read(api.connectivity_callbacks.register_callback(account, RegisterCallbackRequest(name=name, url=listener)))

billing, triggers = api.billing, api.usage_trigger_management
other = os.environ["OTHER_ACCOUNT"]
added = billing.add_account(ManagedAccountsAddRequest(
    account_name=account, service_name="Location", mtype="TS-LOC-COARSE-CellID-Aggr", managed_acc_list=[other]))
added = json.loads(added.text)["txid"]  # It reads `TxId` only, and the platform's page has `txid`.
provided = dict(account_name=other, paccount_name=account, service_name="Location",
                mtype="TS-LOC-COARSE-CellID-Aggr", txid=added)
assert read(billing.managed_account_action(ManagedAccountsProvisionRequest(**provided))).status == "Success"
assert read(billing.list_managed_account(account, "Location")).account_name == account
assert read(billing.cancel_managed_account_action(ManagedAccountCancelRequest(**provided))).status == "Success"
trigger = read(triggers.create_new_trigger(UsageTriggerAddRequest(
    account_name=account, service_name="Location", threshold_value="90", trigger_name="Nearly used up"))).trigger_id
changed = read(triggers.update_trigger(
    trigger, UsageTriggerUpdateRequest(account_name=account, threshold_value="80")))
assert changed.threshold_value == "80", changed
assert read(triggers.delete_trigger(account, trigger)).success

sku = "SIMSec-IoT"
licenses = api.sim_secure_for_io_t_licenses
counted = SecuritySubscriptionRequest(account_name=account, sku_number=sku)
before = read(api.account_subscriptions.list_account_subscriptions(counted)).subscription_list[0].license_available
locked = [LicenseDeviceList(device_ids=[LicenseDeviceId(id=active[0]["imei"], kind="imei")])]
assert read(licenses.assign_license_to_devices(
    AssignLicenseRequest(account_name=account, devices=locked, sku_number=sku))).request_id
pass_time()
after = read(api.account_subscriptions.list_account_subscriptions(counted)).subscription_list[0].license_available
assert after == before - 1, (before, after)

pwn = api.pwn
profile = read(pwn.get_profile_list(account)).profiles[0].profile_name
members = [PWNDeviceList(device_ids=[PWNDeviceId(id=active[0]["imei"], kind="imei")])]
started = ChangePWNDeviceStateActivateRequest(
    account_name=account, device_list=members, activate=Activate(profile=profile))
assert read(pwn.change_pwn_device_state_activate(started)).request_id
pass_time()
assert read(pwn.change_pwn_device_profile(ChangePWNDeviceProfileRequest(
    account_name=account, device_list=members, new_profile=profile))).request_id
moved = [{"deviceIds": [{"id": active[0]["imei"], "kind": "imei"}], "ipAddress": "10.0.0.1"}]  # Its model has none.
assert read(pwn.change_pwn_device_ipaddress(ChangePWNDeviceIpaddressRequest(
    account_name=account, device_list=moved))).request_id
pass_time()
assert read(pwn.change_pwn_device_state_deactivate(ChangePWNDeviceStateDeactivateRequest(
    account_name=account, device_list=members))).request_id
assert read(pwn.get_pwn_performance_consent(account)).consent == "true"
assert read(pwn.kpi_list(account)).kpi_info_list[0].node_name

qos = api.thing_space_quality_of_service_api_actions
device = QosDeviceInfo(
    device_id=QosDeviceId(id=active[0]["imei"], kind="imei"),
    flow_info=[FlowInfo(flow_server="203.0.113.7:443", flow_device="198.51.100.9")])
subscribed = SubscribeRequest(account_name=account, device_info=[device])
assert read(qos.create_a_thing_space_quality_of_service_api_subscription(subscribed)).request_id
pass_time()
sent = [one["message"] for one in admin("GET", "/deliveries") if one["service"] == "QoS"]
name = sent[-1]["deviceResponse"]["qoS"][0]["qosSubscriptionId"]
assert read(qos.stop_a_thing_space_quality_of_service_api_subscription(account, name)).request_id
pass_time()
print("done")
"""

APIMATIC = """
from verizon import VerizonClient
from verizon.core import ApiError, ClientCredentials
from verizon.server.server_config import ServerConfig

servers = {name: {"production": {"base_url": base + urlsplit(server.production.base_url).path}}
           for name, server in ServerConfig()}
key = ClientCredentials(
    client_id=os.environ["THINGSPACE_CLIENT_ID"], client_secret=os.environ["THINGSPACE_CLIENT_SECRET"])


def client(token):
    return VerizonClient(
        server_config=servers, thingspace_oauth=key, vz_m2_m_token=token, session_token=token, retry_options=0)


def log_in(password):
    body = {"username": user, "password": password}
    return client("none").session_management.start_connectivity_management_session(body=body).session_token


def refused(work):
    try:
        work()
    except ApiError as error:
        return error.error.error_code
    raise AssertionError("it was not refused")


api = client(log_in(password))                                                                            # 1
active = admin("GET", "/devices?state=active&limit=3")["devices"]
"""

APIMATIC_CONNECTIVITY = """
named = [{"id": one["imei"], "kind": "imei"} for one in active]
first = {"devices": [{"device_ids": [named[0]]}]}
devices, groups, callbacks, sms = api.device_management, api.device_groups, api.connectivity_callbacks, api.sms


def state():
    return devices.list_devices_information({"device_id": named[0]}).devices[0].carrier_informations[0].state


page = devices.list_devices_information({"max_number_of_devices": 5})                                     # 2
assert len(page.devices) == 5 and page.has_more_data, page
assert state() == "active"                                                                                # 3
assert api.accounts.get_account_information(account).account_name == account                              # 4
assert api.accounts.list_account_states_and_services(account)                                             # 5
assert api.accounts.list_account_leads(account)                                                           # 6
assert len(api.service_plans.list_account_service_plans(account)) == 4                                    # 7
register = {"name": "CarrierService", "url": listener}
assert callbacks.register_callback(account, register).service_name == "CarrierService"                    # 8
assert callbacks.list_registered_callbacks(account)[0].url == listener                                    # 9
suspended = devices.suspend_service_for_devices(first).request_id                                         # 10
status = api.account_requests.get_current_asynchronous_request_status
assert status(account, suspended).status == "Pending"                                                     # 11
pass_time()
assert status(account, suspended).status == "Success"                                                     # 12
assert state() == "suspend"                                                                               # 13
devices.restore_service_for_suspended_devices(first)                                                      # 14
pass_time()
assert devices.change_devices_service_plan({**first, "service_plan": "M2M_5G_1GB"}).request_id            # 15
usage = {"earliest": "2026-01-01T00:00:00Z", "latest": "2026-01-10T00:00:00Z", "device_id": named[0]}
assert devices.list_devices_usage_history(usage).usage_history                                            # 16
text = {"account_name": account, "sms_message": "hello", "device_ids": [named[0]]}
assert sms.send_sms_to_device(text).request_id                                                            # 17
pass_time()
admin("POST", "/sms", {"device": active[0]["imei"], "text": "22 degrees"})
assert sms.list_devices_sms_messages(account).messages[0].message == "22 degrees"                         # 18
assert sms.start_queued_sms_delivery(account).success                                                     # 19
made = {"account_name": account, "group_name": "SDK", "group_description": "made by the SDK"}
assert groups.create_device_group(made).success                                                           # 20
assert "SDK" in [group.name for group in groups.list_device_groups(account)]                              # 21
assert groups.update_device_group(account, "SDK", {"devices_to_add": named}).success                      # 22
assert len(groups.get_device_group_information(account, "SDK").devices) == 3                              # 23
assert groups.delete_device_group(account, "SDK").success                                                 # 24
assert callbacks.deregister_callback(account, "CarrierService").service_name == "CarrierService"          # 25
admin("POST", "/sessions/expire")
assert refused(lambda: api.accounts.get_account_information(account)).endswith("SessionToken.Expired")    # 26
api = client(log_in(password))                                                                            # 27
password = api.session_management.reset_connectivity_management_password(
    {"old_password": password}).new_password                                                              # 28
for _ in range(5):
    refused(lambda: log_in("wrong"))                                                                      # 29 to 33
assert refused(lambda: log_in(password))                                                                  # 34
admin("PATCH", "/users/" + user, {"locked": False})
api = client(log_in(password))                                                                            # 35
assert api.session_management.end_connectivity_management_session().session_token                         # 36
print("done")
"""


@pytest.mark.parametrize(
    ("variable", "scenario", "assumptions"),
    [
        ("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_CONNECTIVITY, Assumptions()),
        # This SDK cannot read the extended attributes that the platform's pages show.
        (
            "THINGSPACE_APIMATIC_SDK_PYTHON",
            APIMATIC + APIMATIC_CONNECTIVITY,
            Assumptions(attributes_without_values=False),
        ),
    ],
    ids=["sdksio-verizon-apis-sdk", "vz-apimatic-v-4-sdk"],
)
async def test_an_sdk_logs_in_changes_devices_is_locked_out_and_logs_out(
    variable: str, scenario: str, assumptions: Assumptions, listener: Listener
) -> None:
    await _run(variable, scenario, assumptions, listener)
    assert {message["status"] for message in listener.messages if "status" in message} == {"Success"}


async def test_an_sdk_calls_the_location_service(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_LOCATION, Assumptions(), listener)
    assert len([one for one in listener.messages if "msid" in one]) == 3


async def test_an_sdk_calls_diagnostics(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_DIAGNOSTICS, Assumptions(), listener)
    assert len([one for one in listener.messages if "attributes" in one]) == 6
    assert len([one for one in listener.messages if one.get("status") == "REBOOT_SUCCESS"]) == 3


async def test_an_sdk_streams_events(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_CLOUD_CONNECTOR, Assumptions(), listener)
    assert [one["data"]["state"] for one in listener.messages] == ["pending", "update"]
    assert {headers["Authorization"] for headers in listener.headers} == {"Basic YTpi"}


async def test_an_sdk_calls_sensor_insights(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_SENSOR_INSIGHTS, Assumptions(), listener)


@pytest.mark.parametrize(
    "scenario", [SDKSIO_SOFTWARE_V3, SDKSIO_SOFTWARE_V2, SDKSIO_SOFTWARE_V1], ids=["v3", "v2", "v1"]
)
async def test_an_sdk_calls_each_version_of_software_management(listener: Listener, scenario: str) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + scenario, Assumptions(), listener)
    assert listener.messages


async def test_an_sdk_calls_billing_licenses_private_networks_and_quality_of_service(listener: Listener) -> None:
    """All their calls except unassigning licenses, whose DELETE request this SDK sends without its body."""
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_OTHER_ROOMS, Assumptions(), listener)
    events = [one["deviceResponse"]["qoS"][0] for one in listener.messages if "qoS" in one.get("deviceResponse", {})]
    assert [one["qosEvent"] for one in events] == ["QoSChangeStarted", "QoSChangeTerminated"]


async def test_an_sdk_manages_hyper_precise_location(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + HYPER_PRECISE, Assumptions(), listener)
    assert [bool(one["usage"]) for one in listener.messages] == [True]


async def test_an_sdk_sets_triggers_and_asks_about_the_network(listener: Listener) -> None:
    await _run("THINGSPACE_SDK_PYTHON", SDKSIO + TRIGGERS_AND_INTELLIGENCE, Assumptions(), listener)
    assert len(listener.messages) >= 3


@pytest.mark.parametrize(
    ("variable", "scenario", "lacking"),
    [
        ("THINGSPACE_SDK_PYTHON", SDKSIO + SDKSIO_V2X, {v2x.LIST, v2x.LIST_MAPS, v2x.DELETE_MAP}),
        ("THINGSPACE_APIMATIC_SDK_PYTHON", APIMATIC + APIMATIC_V2X, set()),
    ],
    ids=["sdksio-verizon-apis-sdk", "vz-apimatic-v-4-sdk"],
)
async def test_an_sdk_makes_every_call_for_v2x_that_it_has(
    variable: str, scenario: str, lacking: set[Operation[Any, Any]], listener: Listener
) -> None:
    called = await _run(variable, scenario, Assumptions(), listener)
    wanted = {one.name for one in v2x.OPERATIONS} - {one.name for one in lacking}
    assert {one for one in called if one.startswith("v2x.")} == wanted


async def _run(variable: str, scenario: str, assumptions: Assumptions, listener: Listener) -> set[str]:
    """Run a scenario, and return the operations that it called."""
    if (python := os.environ.get(variable)) is None:
        pytest.skip(f"{variable} is not set: it names an interpreter with the SDK, as in .ci/run")
    async with Simulator(devices=30, assumptions=assumptions) as cloud:
        cloud.add_account(OTHER)
        named = {"ACCOUNT": ACCOUNT, "OTHER_ACCOUNT": OTHER, "LISTENER": listener.url}
        variables = {**os.environ, **cloud.exports(), **named}
        process = await asyncio.create_subprocess_exec(
            *(python, "-c", PRELUDE + scenario),
            env=variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complaints = await asyncio.wait_for(process.communicate(), 120)
        refusals = [(one.operation, one.reason) for one in cloud.requests if one.reason]
        assert (printed.decode(), complaints.decode()) == ("done\n", ""), refusals
        assert not [one for one in cloud.requests if one.operation is None and "__admin" not in one.path]
        return {one.operation for one in cloud.requests if one.operation is not None}
