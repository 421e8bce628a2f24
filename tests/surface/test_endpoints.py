"""The page of endpoints is up to date."""

from __future__ import annotations

from tests.surface.endpoints import PAGE, missing, page


def test_the_page_of_endpoints_is_what_the_facts_and_operations_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.surface.endpoints"


def test_every_published_endpoint_has_a_call() -> None:
    assert missing() == []
