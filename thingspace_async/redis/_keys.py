"""Names of keys."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from thingspace_async.errors import ConfigurationError

__all__ = ["Keys"]

_DIGEST_SIZE: Final = 12


class Keys:
    """Makes the keys of one owner. They share one slot of a Redis Cluster, and do not reveal the owner.

    `Keys("thingspace", "inbox", name)("wake", id)` is `thingspace:{digest}:wake:id`.
    """

    def __init__(self, prefix: str, *owner: str) -> None:
        if not isinstance(prefix, str) or not prefix or not prefix.isprintable() or {"{", "}"} & set(prefix):
            raise ConfigurationError("prefix must be a string of printable characters, not empty and without braces")
        digest = hashlib.blake2b(json.dumps(owner).encode(), digest_size=_DIGEST_SIZE)
        # The hash tag in braces decides the slot:
        # https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
        self._start = f"{prefix}:{{{digest.hexdigest()}}}"

    def __call__(self, *names: str) -> str:
        """Return the key with these names."""
        return ":".join((self._start, *names))
