"""Comparing and showing the URLs of listeners."""

from __future__ import annotations

from urllib.parse import urlsplit

from thingspace_async._core.registrar import listener_at

__all__ = ["is_same_url", "shown_url"]


def is_same_url(one: str | None, other: str | None) -> bool:
    """Return whether two URLs are the same, apart from their spelling."""
    return _normalised(one) == _normalised(other)


def _normalised(url: str | None) -> tuple[object, ...]:
    """Return the parts of a URL, normalised for comparison."""
    try:
        parts = urlsplit(url or "")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return (url,)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/"), parts.query


def shown_url(url: str | None) -> str:
    """Return a URL without the parts that may be secret: user, password and query.

    For an API without passwords, the last part of the path has them: see `registrar.url_with_credentials`.
    """
    scheme, separator, rest = (url or "an unknown URL").partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return listener_at(f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}").url
