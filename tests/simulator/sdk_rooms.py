"""Scenarios of Verizon's own SDK for triggers, intelligence, hyper precise location and V2X, and of APIMatic's for V2X.

Bodies are dicts where the SDK's models lack members that the platform's pages show.
"""

from __future__ import annotations

from typing import Final

__all__ = ["APIMATIC_V2X", "HYPER_PRECISE", "SDKSIO_V2X", "TRIGGERS_AND_INTELLIGENCE"]

HYPER_PRECISE: Final = """
imei = active[0]["imei"]
asked = {"ECPD": "1", "accountNumber": account, "items": [{"imei": imei}]}
credentials = api.device_credential_management
made = read(credentials.generate_credentials(asked)).items[0].credential
assert made.username and made.password
new = read(credentials.reset_credentials(asked)).items[0].credential
assert new.username == made.username and new.password != made.password
assert read(credentials.retrieve_credentials(asked)).items[0].username == made.username
assert read(credentials.drop_credentials(asked)).items

services = api.device_service_management
enabled = {"accountNumber": account, "deviceList": [{"imei": imei, "BullseyeEnable": True}]}
assert read(services.update_device_hyper_precise_status(enabled)).device_list[0].imei == imei
assert read(services.get_device_hyper_precise_status(imei, account)).device_list

callbacks = api.hyper_precise_location_callbacks
assert read(callbacks.register_callback(account, {"name": "BullseyeReporting", "url": listener}))
assert read(callbacks.list_registered_callbacks(account))
reports, about = api.device_reports, {"accountNumber": account, "imei": [imei]}
assert read(reports.calculate_aggregated_report_synchronous(about)).usage
assert read(reports.calculate_aggregated_report_asynchronous(about)).txid
assert read(reports.get_sessions_report({"accountNumber": account, "imei": imei})).sessions
pass_time()
callbacks.deregister_callback(account, "BullseyeReporting")
print("done")
"""

TRIGGERS_AND_INTELLIGENCE: Final = """
for name in ("AlertService", "IntelligenceService"):
    read(api.connectivity_callbacks.register_callback(account, RegisterCallbackRequest(name=name, url=listener)))

settings = api.anomaly_settings
sensitivity = {"abnormalMaxValue": 1.0, "enableAbnormal": True, "enableVeryAbnormal": True, "veryAbnormalMaxValue": 0.5}
assert read(settings.activate_anomaly_detection(
    {"accountName": account, "requestType": "anomaly", "sensitivityParameter": sensitivity})).status
assert read(settings.list_anomaly_detection_settings(account)).status == "Active"
assert read(settings.reset_anomaly_detection_parameters(account)).status

watched = {"accountNames": account, "includeAbnormal": True, "includeVeryAbnormal": True, "includeUnderExpectedUsage":
           True, "includeOverExpectedUsage": True}
anomaly = {"name": "unusual", "triggerCategory": "UsageAnomaly", "accountName": account,
           "anomalyTriggerRequest": watched, "notification": {"notificationType": "DailySummary", "callback": True,
           "emailNotification": False}, "active": True}
second = api.anomaly_triggers_v2
made = read(second.create_anomaly_detection_trigger_v2([anomaly])).trigger_id
assert read(second.list_anomaly_detection_trigger_settings_v2(made)).triggers
assert read(second.update_anomaly_detection_trigger_v2([anomaly | {"triggerId": made}])).status

first, data = api.anomaly_triggers, {"comparator": "gt", "threshold": 1, "thresholdUnit": "KB"}
busy = {"name": "busy", "triggerCategory": "DeviceDataUsage", "accountName": account, "triggerCycle": "Daily",
        "dataTriggerRequest": data}
made = read(first.create_anomaly_detection_trigger([busy])).trigger_id
assert read(first.list_anomaly_detection_triggers()) is not None
assert read(first.list_anomaly_detection_trigger_settings(made)) is not None
assert read(first.update_anomaly_detection_trigger([busy | {"triggerId": made}])).trigger_id == made
assert read(first.delete_anomaly_detection_trigger(made)) is not None

found = api.retrieve_the_triggers
assert read(found.get_all_available_triggers()).triggers
assert read(found.get_all_triggers_by_account_name(account)).triggers
own = json.loads(found.get_all_triggers_by_trigger_category().text)["triggers"][0]
assert read(found.get_triggers_by_id(own["triggerId"])).triggers
changed = {name: own[name] for name in ("triggerId", "triggerCategory", "promoAlerts")}
assert read(api.update_triggers.update_all_available_triggers([changed])).status

performance, place = api.wireless_network_performance, [{"latitude": "40.7128", "longitude": "-74.0060"}]
about = {"accountName": account, "locationType": "LONGLAT"}
assert read(performance.near_real_time_network_conditions(
    about | {"coordinates": place[0], "networkType": "LTE"})).request_id
device = {"id": active[0]["imei"], "kind": "imei"}
assert read(performance.device_experience_30_days_history({"accountName": account, "deviceId": device})).request_id
assert read(performance.device_experience_bulk_latest({"accountName": account, "deviceList": [device]})).request_id
pass_time()
print("done")
"""

_V2X: Final = """
vendor, one, two = "vendor", "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11", "7d0e3a52-1c57-4b1c-8a3e-5b8f0c9d6e21"
corners = [[-84.6, 33.4], [-84.5, 33.4], [-84.5, 33.5], [-84.6, 33.5], [-84.6, 33.4]]
road = {"type": "LineString", "coordinates": [[-84.55, 33.45], [-84.54, 33.45]]}
fence = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": road, "properties": {"name": "A1"}}]}
notice = {"isPrivate": True, "roadUserType": ["Vehicle"], "triggerConditions": ["enter"],
          "distributionSchedule": {"repeatPeriod": 10, "duration": 60},
          "generic": {"messageType": "notice", "messageFormat": "text", "payload": "road works ahead"}}
works = {"name": "works", "geoFence": fence, "messageStandard": "sae", "messages": [notice], "isActive": True}
crossing = {"id": {"region": 0, "id": 4711}, "refPoint": {"lat": 334500000, "long": -845500000}}
map_message = {"messageId": 18, "value": {"intersections": [crossing]}}
"""

SDKSIO_V2X: Final = (
    _V2X
    + """
from verizon.models.client_registration_request_v2 import ClientRegistrationRequestV2
from verizon.models.connection_request import ConnectionRequest
from verizon.models.etx_id import EtxID
from verizon.models.geo_fence_configuration_update_request import GeoFenceConfigurationUpdateRequest
from verizon.models.geofence import Geofence
from verizon.models.geolocation import Geolocation

clients, maps = api.client, api.map_data_manager
for device_id in (one, two):
    made = read(clients.register_etx_device(ClientRegistrationRequestV2(
        client_type="Vehicle", client_subtype="PassengerCar", vendor_id=vendor, device_id=device_id)))
    assert made.device_id == device_id and made.certificate.key_pem.startswith("-----BEGIN"), made
found = read(clients.get_etx_device_certificate(EtxID(device_id=one)))
assert found.vendor_id == vendor and found.certificate.cert_pem == made.certificate.cert_pem
assert read(clients.renew_etx_device(one, vendor, body={})).certificate.cert_pem == made.certificate.cert_pem
where = ConnectionRequest(
    device_id=one, geolocation=Geolocation(latitude=33.45, longitude=-84.55), network_type="VZ")
assert read(clients.retrieve_mqtturl(vendor, where)).mqtt_url.startswith("mqtts://")
assert len(read(clients.retrieve_mqtturl_multi_mec(vendor, where)).mqtt_ur_ls) == 3
assert [role.name for role in read(api.device_role_controller.get_acl_rules_by_vendor_id(vendor))] == ["VEH", "VRU"]

name = read(clients.create_configuration(vendor, works)).id  # Its model of a feature raises NameError.
assert [each.name for each in read(clients.get_configuration_list(vendor))] == ["works"]
clients.update_configuration(vendor, name, GeoFenceConfigurationUpdateRequest(is_active=False))
assert read(clients.get_configuration(name, vendor)).is_active is False
clients.delete_configuration(vendor, name)
assert not read(clients.get_configuration_list(vendor))

maps.upload_map_data_message(vendor, json.dumps(map_message))
area = Geofence("Polygon", [corners])
assert maps.download_map_data_message(vendor, area).text
clients.unregister_etx_device(vendor, [one, two])
print("done")
"""
)

APIMATIC_V2X: Final = (
    _V2X
    + """
from uuid import UUID

clients, fences, maps = api.etxregistration, api.etxapp_configuration, api.map_message_controller
for device_id in (one, two):
    made = clients.register_etx_client({
        "client_type": "Vehicle", "client_subtype": "PassengerCar", "vendor_id": vendor, "device_id": device_id})
    assert made.device_id == UUID(device_id) and made.certificate.key_pem.startswith("-----BEGIN"), made
found = clients.get_etx_client_certificate({"device_id": UUID(one)}, vendor)
assert found.certificate.cert_pem == made.certificate.cert_pem
renewed = clients.renew_etx_client_certificate(UUID(one), vendor, body={})
assert renewed.certificate.cert_pem == made.certificate.cert_pem
listed = clients.query_etx_devices({"vendor_id": vendor, "filter": {"client_type": "Vehicle"}})
assert [each.device_id for each in listed] == [UUID(one), UUID(two)]
where = {"device_id": one, "geolocation": {"latitude": 33.45, "longitude": -84.55}, "network_type": "VZ"}
assert clients.get_etx_connection_url(vendor, where).mqtt_url.startswith("mqtts://")
assert len(clients.get_etx_connection_url_multi_mec(vendor, where).mqtt_urls) == 3
assert [role.name for role in api.device_role_controller.get_acl_rules_by_vendor_id(vendor)] == ["VEH", "VRU"]

name = fences.create_configuration(vendor, works).id
assert [each.name for each in fences.get_configuration_list(vendor)] == ["works"]
fences.update_configuration(name, vendor, {"is_active": False})
assert fences.get_configuration(name, vendor).is_active is False
fences.delete_configuration(name, vendor)
assert not fences.get_configuration_list(vendor)

assert maps.ingest_map_messages(vendor, {"message_id": 18, "value": map_message["value"]})
asked = {"geo_json": {"type": "Polygon", "coordinates": [corners]}, "expected_type": "JSON"}
assert [each["messageId"] for each in maps.query_map_messages(vendor, asked)] == [18]
try:  # This SDK cannot write a polygon in a query: its type of the coordinates has no rings.
    maps.download_map_messages({"type_": "Polygon", "coordinates": corners}, vendor)
except ApiError as error:
    assert error.status_code == 400, error
else:
    raise AssertionError("it was not refused")
maps.delete_map_message("0", "4711")
assert maps.query_map_messages(vendor, asked) == []
clients.unregister_etx_clients([UUID(one), UUID(two)], vendor)
print("done")
"""
)
