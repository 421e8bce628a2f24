"""Quality of Service: a better network service for chosen data flows of devices.

The platform reports later, on QoS, whether it has improved the service. `enhanced` waits for that.

    from thingspace_async import DeviceId
    from thingspace_async.qos import Flow, QosDevice, QosRequest

    flow = Flow(flow_server="203.0.113.7:443", flow_device="198.51.100.9", flow_direction="UPLINK", flow_protocol="UDP")
    device = QosDevice(device_id=DeviceId.imei(cloud.devices[0].imei), flows=[flow])
    accepted = await session.qos.start(QosRequest(account_name="0000123456-00001", device_info=[device]))
    print(accepted.request_id)
"""

from thingspace_async.qos.calls import OPERATIONS, Qos
from thingspace_async.qos.models import Flow, QosDevice, QosRequest

__all__ = ["OPERATIONS", "Flow", "Qos", "QosDevice", "QosRequest"]
