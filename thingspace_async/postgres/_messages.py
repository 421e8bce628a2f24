"""The SQL statements for messages.

RESERVE locks the row of the inbox until its transaction commits. So messages become visible in the order of their
numbers. (A sequence would not do: transactions may commit in another order than they take numbers.)

A number is PostgreSQL's time in microseconds, or the last number plus one if that is greater. So numbers grow even if
the tables were lost. After each restart or failover they leap ahead. So a standby never reuses the numbers of messages
that it had not received, even if its clock is behind.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADD",
    "KEEP_FIRST",
    "KEPT",
    "LATEST",
    "PAGE_OF_ALL",
    "PAGE_OF_REQUEST",
    "PAGE_OF_SERVICE",
    "REMOVE",
    "RESERVE",
    "TRIM",
]

_LEAP: Final = 1 << 40
"""Twelve days, in microseconds."""

RESERVE: Final = f"""
INSERT INTO {{schema}}.inbox AS own (name, newest, server)
VALUES ($1, $2::bigint + (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_postmaster_start_time())
ON CONFLICT (name) DO UPDATE SET
    newest = greatest(
        excluded.newest,
        own.newest + $2::bigint + CASE WHEN own.server = excluded.server THEN 0 ELSE {_LEAP} END
    ),
    server = excluded.server
RETURNING newest - $2::bigint AS last, clock_timestamp() AS now
"""

LATEST: Final = """
SELECT digest, max(received_at) AS latest FROM {schema}.message
WHERE inbox = $1 AND digest = ANY ($2::bytea[]) GROUP BY digest
"""

ADD: Final = """
WITH added AS (
    INSERT INTO {schema}.message (inbox, number, request_id, service, received_at, digest, body)
    SELECT $1, number, request_id, service, $3, digest, body
    FROM unnest($4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
        AS new (number, request_id, service, digest, body)
)
SELECT pg_notify($2, '')
"""

_PAGE: Final = """
SELECT number, service, received_at, body, found FROM (
    SELECT *,
        count(*) OVER () AS found,
        sum(octet_length(body)) OVER (ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes
    FROM (
        SELECT number, service, received_at, body FROM {{schema}}.message
        WHERE inbox = $1 AND {chosen} AND received_at < coalesce($4, 'infinity'::timestamptz)
        ORDER BY {order} LIMIT $6
    ) AS page
) AS counted
WHERE coalesce(bytes, 0) < $7 ORDER BY {order}
"""
_BY_TIME: Final = "(received_at, number) > (coalesce($3, '-infinity'::timestamptz), $5)"

PAGE_OF_REQUEST: Final = _PAGE.format(
    chosen="""
        left(request_id, 100) = left($8, 100) AND request_id = $8 AND number > $5
        AND received_at >= coalesce($3, '-infinity'::timestamptz) AND ($2::text IS NULL OR service = $2)
    """,
    order="number",
)
PAGE_OF_SERVICE: Final = _PAGE.format(
    chosen=f"left(service, 100) = left($2, 100) AND service = $2 AND {_BY_TIME} AND $8::text IS NULL",
    order="received_at, number",
)
PAGE_OF_ALL: Final = _PAGE.format(
    chosen=f"$2::text IS NULL AND {_BY_TIME} AND $8::text IS NULL", order="received_at, number"
)
"""The parameters of all three: inbox, service, from, until, number, limit, limit of bytes, request id."""

REMOVE: Final = """
WITH old AS (
    SELECT number FROM {schema}.message WHERE inbox = $1 AND received_at < now() - $2::interval
    ORDER BY received_at, number LIMIT $3
), removed AS (
    DELETE FROM {schema}.message USING old WHERE inbox = $1 AND message.number = old.number RETURNING 1
)
SELECT count(*) FROM removed
"""

TRIM: Final = """
WITH last AS (
    SELECT received_at, number FROM {schema}.message WHERE inbox = $1
    ORDER BY received_at DESC, number DESC OFFSET $2 LIMIT 1
), old AS (
    SELECT message.number FROM {schema}.message, last
    WHERE inbox = $1 AND (message.received_at, message.number) <= (last.received_at, last.number)
    ORDER BY message.received_at, message.number LIMIT $3
), removed AS (
    DELETE FROM {schema}.message USING old WHERE inbox = $1 AND message.number = old.number RETURNING 1
)
SELECT count(*) FROM removed
"""

KEEP_FIRST: Final = "INSERT INTO {schema}.kept (inbox, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
KEPT: Final = "SELECT name, value FROM {schema}.kept WHERE inbox = $1"
