"""The tables of the schema."""

from __future__ import annotations

from typing import Final

__all__ = ["LOCK", "TABLES", "VERSION", "quoted"]

VERSION: Final = 1

LOCK: Final = 0x7468_7370
"""The key of the advisory lock for creating tables: "thsp"."""

# Names are compared by their bytes, as in Python. Indexes hold the first 100 characters of request ids and services, as
# PostgreSQL limits index entries to 2,704 bytes.
TABLES: Final = f"""
CREATE TABLE {{schema}}.version (version integer NOT NULL);
CREATE TABLE {{schema}}.inbox (
    name text COLLATE "C" PRIMARY KEY,
    newest bigint NOT NULL,
    server timestamptz NOT NULL
);
CREATE TABLE {{schema}}.message (
    inbox text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    request_id text COLLATE "C",
    service text COLLATE "C",
    received_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (inbox, number)
);
CREATE INDEX message_of_request ON {{schema}}.message (inbox, left(request_id, 100), number)
    WHERE request_id IS NOT NULL;
CREATE INDEX message_of_service ON {{schema}}.message (inbox, left(service, 100), received_at, number)
    WHERE service IS NOT NULL;
CREATE INDEX message_of_time ON {{schema}}.message (inbox, received_at, number);
CREATE INDEX message_of_digest ON {{schema}}.message (inbox, digest);
CREATE TABLE {{schema}}.kept (
    inbox text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (inbox, name)
);
CREATE TABLE {{schema}}.run (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inbox text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    id text NOT NULL,
    description text NOT NULL,
    counter bigint NOT NULL,
    UNIQUE (inbox, name)
);
CREATE TABLE {{schema}}.worker (
    run bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL,
    until timestamptz NOT NULL,
    lease interval NOT NULL,
    PRIMARY KEY (run, name)
);
CREATE TABLE {{schema}}.batch (
    run bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    worker text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    state text NOT NULL,
    detail text NOT NULL,
    size integer NOT NULL,
    changed_at timestamptz NOT NULL,
    answer text NOT NULL,
    PRIMARY KEY (run, key)
);
CREATE TABLE {{schema}}.batch_rows (
    run bigint NOT NULL,
    batch text COLLATE "C" NOT NULL,
    part integer NOT NULL,
    rows bytea NOT NULL,
    PRIMARY KEY (run, batch, part)
);
CREATE TABLE {{schema}}.claim (
    run bigint NOT NULL,
    key bigint NOT NULL,
    PRIMARY KEY (run, key)
);
INSERT INTO {{schema}}.version VALUES ({VERSION});
"""


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'
