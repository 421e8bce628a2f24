"""Messages and fleet runs that several processes share through PostgreSQL."""

from thingspace_async.postgres.inbox import PostgresInbox

__all__ = ["PostgresInbox"]
