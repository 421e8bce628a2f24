"""Triggers on the usage of devices: SMS messages, data, and the length of data sessions."""

from thingspace_async.triggers.v1.calls import OPERATIONS, DeviceTriggers

__all__ = ["OPERATIONS", "DeviceTriggers"]
