"""The endpoints of all versions of software management."""

from __future__ import annotations

from typing import Final

from thingspace_async.software import v1, v2, v3

__all__ = ["OPERATIONS"]

OPERATIONS: Final = (*v3.OPERATIONS, *v2.OPERATIONS, *v1.OPERATIONS)
