"""Conformance tests for inboxes of your own.

Derive a test class from `InboxTests` and one from `LedgerTests`, give each the fixture `open_inbox`, and run pytest:

    import pytest
    from thingspace_async.testing import InboxTests, LedgerTests

    class TestMessages(InboxTests):
        @pytest.fixture
        def open_inbox(self, tmp_path):
            return lambda: MyInbox(tmp_path / "inbox")

    class TestFleetRuns(LedgerTests):
        @pytest.fixture
        def open_inbox(self, tmp_path):
            return lambda: MyInbox(tmp_path / "inbox")

`open_inbox` is called without arguments and returns an async context manager that opens an inbox. All inboxes of one
test share a store, which is empty when the test begins. If the store keeps its contents when all inboxes are closed,
derive from `DurableInboxTests` and `DurableLedgerTests` instead, which also test that.

Each test runs in its own event loop. The tests need no pytest plugin.
"""

from thingspace_async.testing.inboxes import DurableInboxTests, InboxTests
from thingspace_async.testing.ledgers import DurableLedgerTests, LedgerTests
from thingspace_async.testing.running import OpenInbox

__all__ = ["DurableInboxTests", "DurableLedgerTests", "InboxTests", "LedgerTests", "OpenInbox"]
