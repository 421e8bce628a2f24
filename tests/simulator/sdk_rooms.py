"""Scenarios of Verizon's own SDK for triggers, intelligence and hyper precise location.

Bodies are dicts where the SDK's models lack members that the platform's pages show.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HYPER_PRECISE", "TRIGGERS_AND_INTELLIGENCE"]

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
