"""Usage segmentation labels, which split the usage of devices into parts.

    from thingspace_async import DeviceId
    from thingspace_async.devices import AccountLabels, AssociateLabelRequest, DeviceLabel

    car = DeviceId(**cloud.devices[0].device_ids[0])
    radio = DeviceLabel(name="VIN", value="XXUZL54B5YN105457")
    labels = AccountLabels(devices=[car], label=(radio,))
    await session.devices.labels.add(AssociateLabelRequest(account_name=cloud.account_name, labels=labels))
    cloud.clock.advance(60)
    await session.devices.labels.remove(cloud.account_name, (radio,))

Both changes take effect later. Their results arrive on CarrierService.
"""

from thingspace_async.devices.labels.calls import OPERATIONS, Labels
from thingspace_async.devices.labels.models import AccountLabels, AssociateLabelRequest, DeviceLabel, LabelList

__all__ = ["OPERATIONS", "AccountLabels", "AssociateLabelRequest", "DeviceLabel", "LabelList", "Labels"]
