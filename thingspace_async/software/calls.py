"""The room of software management, composed of its versions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from thingspace_async.software.v3.calls import Version3

if TYPE_CHECKING:
    from thingspace_async.software.v1 import Version1
    from thingspace_async.software.v2 import Version2

__all__ = ["Software"]


class Software(Version3):
    """Software management: upgrades of the firmware and software of devices."""

    # Loaded at their first use: most programs use one version, and each has some twenty models.

    @cached_property
    def v2(self) -> Version2:
        """Software and files for devices with Verizon's HTTP client."""
        from thingspace_async.software.v2 import Version2

        return Version2(self._caller)

    @cached_property
    def v1(self) -> Version1:
        """Firmware of devices with LWM2M or OMA-DM, in the older version."""
        from thingspace_async.software.v1 import Version1

        return Version1(self._caller)
