"""What several processes share through Redis: tokens, refused passwords, the pace, messages and fleet runs."""

from thingspace_async.redis.inbox import RedisInbox
from thingspace_async.redis.store import RedisStore

__all__ = ["RedisInbox", "RedisStore"]
