"""Share tokens, the lock-out guard, the pace of requests, messages and fleet runs between processes, through Redis."""

from thingspace_async.redis.inbox import RedisInbox
from thingspace_async.redis.store import RedisStore

__all__ = ["RedisInbox", "RedisStore"]
