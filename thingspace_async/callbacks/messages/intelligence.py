"""Messages of the IntelligenceService (PROTOCOL.md 3.4). Each answers one request of `session.intelligence`.

The documents show the whole content of only one of them. The others keep their content in `details`, as received.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceId, identifier_of
from thingspace_async.callbacks.messages.base import DetailedMessage

__all__ = [
    "INTELLIGENCE",
    "ConnectionPlan",
    "DayScore",
    "DeviceExperience",
    "DeviceExperienceHistory",
    "IntelligenceMessage",
    "NetworkConditions",
    "ReportedPlace",
    "SitePerformance",
    "SiteProximity",
    "WirelessCoverage",
    "intelligence_part",
]

INTELLIGENCE: Final = "intelligenceResponse"
"""The member with the content."""


@attrs.frozen(kw_only=True)
class IntelligenceMessage(DetailedMessage):
    """A message of the IntelligenceService. Base class of all its kinds. `details` has the content."""


@attrs.frozen(kw_only=True)
class ReportedPlace(Model):
    """A place of a request."""

    latitude: str | None = None
    """In decimal degrees, as a string."""
    longitude: str | None = None
    """In decimal degrees, as a string."""


@attrs.frozen(kw_only=True)
class NetworkConditions(IntelligenceMessage):
    """The present conditions of the network at a place. Answers `network_conditions`."""

    coordinates: ReportedPlace | None = None
    """The place of the request."""


@attrs.frozen(kw_only=True)
class WirelessCoverage(IntelligenceMessage):
    """The networks that cover the places of a request. Answers `wireless_coverage`."""


@attrs.frozen(kw_only=True)
class SiteProximity(IntelligenceMessage):
    """The direction and distance of cell sites near a place. Answers `site_proximity`."""


@attrs.frozen(kw_only=True)
class SitePerformance(IntelligenceMessage):
    """The quality of the radio signal at the places of a request. Answers `site_rf_performance`."""


@attrs.frozen(kw_only=True)
class DeviceExperience(IntelligenceMessage):
    """The latest scores of devices. Answers `device_experience`."""


@attrs.frozen(kw_only=True)
class DayScore(Model):
    """The score of a device on one day."""

    date: str | None = None
    """For example `2022-07-06`."""
    average_score: str | None = None
    """A number, as a string."""


@attrs.frozen(kw_only=True)
class DeviceExperienceHistory(IntelligenceMessage):
    """The scores of a device in the last 30 days. Answers `device_experience_history`."""

    reported_ids: tuple[DeviceId, ...] = attrs.field(default=(), metadata=named_on_wire("device"))
    """The device."""
    scores: tuple[DayScore, ...] = ()
    """A score for each day."""

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind, ignoring case."""
        return identifier_of((*self.reported_ids, *self.device_ids), kind)


@attrs.frozen(kw_only=True)
class ConnectionPlan(IntelligenceMessage):
    """When a device should connect. Answers `plan_connections`, once for each device."""


_KINDS: Final[Mapping[str, type[IntelligenceMessage]]] = {
    "history": DeviceExperienceHistory,
    "experience": DeviceExperience,
    "proximity": SiteProximity,
    "performance": SitePerformance,
    "coverage": WirelessCoverage,
    "conditions": NetworkConditions,
    "planner": ConnectionPlan,
}
"""The kinds by a part of the name of the member with their content. Most full names are unknown."""


def intelligence_part(content: Any) -> tuple[type[IntelligenceMessage], dict[str, Any]]:
    """Find the kind of a message by the members of its content; return the kind, and all members for merging."""
    if content.__class__ is not dict:
        return IntelligenceMessage, {INTELLIGENCE: content}
    for word, kind in _KINDS.items():
        for name, inner in content.items():
            if word in name.casefold() and inner is not None:
                if inner.__class__ is not dict:
                    return kind, content
                return kind, {**{other: content[other] for other in content if other != name}, **inner}
    return IntelligenceMessage, content
