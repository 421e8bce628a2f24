"""How keys are called."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from thingspace_async.errors import ConfigurationError

__all__ = ["Keys"]


class Keys:
    """The keys of one owner, all in one slot of a Cluster, whose names tell nobody who that is.

    `Keys("thingspace", "inbox", name)("wake", id)` is `thingspace:{digest}:wake:id`.
    """

    def __init__(self, prefix: str, *owner: str) -> None:
        if not isinstance(prefix, str) or not prefix or not prefix.isprintable() or {"{", "}"} & set(prefix):
            raise ConfigurationError("prefix must be a text that is not empty and holds no braces")
        digest = hashlib.blake2b(json.dumps(owner).encode(), digest_size=_DIGEST)
        # What braces enclose is the hash tag: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
        self._start = f"{prefix}:{{{digest.hexdigest()}}}"

    def __call__(self, *names: str) -> str:
        """Return the key of these names."""
        return ":".join((self._start, *names))


_DIGEST: Final = 12
