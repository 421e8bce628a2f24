"""The answers to messages, independent of the server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.receiver.conftest import (
    PASSWORD,
    REQUEST_ID,
    SERVICE,
    USERNAME,
    body_of,
    message,
    receiver_of,
    stored,
)
from thingspace_async import Secret
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.messages import EventMessage
from thingspace_async.callbacks.receiver import PUBLISHED_ADDRESSES, Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import ConfigurationError, InboxUnavailable

OTHER_SERVICE = "DeviceUsage"
SIGNED = "Location"
SECRET = "shared-secret-0123456789"


async def status_of(
    receiver: Receiver, body: bytes, *, service: str | None = SERVICE, peer: str | None = "192.0.2.1", **headers: str
) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await receiver.handle(body, headers=named, peer=peer, service=service)).status


async def test_a_message_is_stored_before_it_is_answered(receiver: Receiver, inbox: SqliteInbox) -> None:
    assert await status_of(receiver, body_of()) == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


@pytest.mark.parametrize(
    ("service", "status"),
    [
        (f"{SERVICE}~{USERNAME}~{PASSWORD}", 200),
        (f"{SERVICE}~{USERNAME}~wrong", 401),
        (f"{SERVICE}~wrong~{PASSWORD}", 401),
        (f"{SERVICE}~~{PASSWORD}", 404),
        (f"{SERVICE}~{PASSWORD}", 404),
        (f"{OTHER_SERVICE}~{USERNAME}~{PASSWORD}", 404),
        (SERVICE, 401),
    ],
)
async def test_the_url_may_have_the_username_and_the_password(
    receiver: Receiver,
    inbox: SqliteInbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    service: str,
    status: int,
) -> None:
    body = b'{"campaignId": "c1", "status": "CampaignEnded"}'
    assert await status_of(receiver, body, service=service) == status
    assert await stored(inbox) == ([("c1", SERVICE)] if status == 200 else [])
    assert PASSWORD not in caplog.text or status == 404
    assert PASSWORD.encode() not in contents_of(tmp_path)


async def test_username_and_password_are_not_stored(receiver: Receiver, inbox: SqliteInbox, tmp_path: Path) -> None:
    odd = {"Username": "spelt otherwise", "PASSWORD": "spelt otherwise"}
    assert await status_of(receiver, body_of(surprise={"kept": True}, **odd)) == 200
    written = contents_of(tmp_path)
    assert b"surprise" in written
    for secret in (PASSWORD, USERNAME, "spelt otherwise"):
        assert secret.encode() not in written
        assert json.dumps(secret).strip('"').encode() not in written


def contents_of(folder: Path) -> bytes:
    """Return the contents of all files in a folder: the database and its write-ahead log."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"password": None},
        {"password": ""},
        {"password": 5},
        {"password": [PASSWORD]},
        {"password": {"": PASSWORD}},
        {"password": PASSWORD + "\0"},
        {"password": "x" * 100_000},
        {"username": "somebody"},
        {"username": None},
        {"username": True},
        {"username": None, "password": None},
        {"username": PASSWORD, "password": USERNAME},
        {"password": "of another service"},
    ],
    ids=repr,
)
async def test_wrong_credentials_get_401_and_a_log_line_without_a_secret(
    receiver: Receiver, inbox: SqliteInbox, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    receiver.expect(OTHER_SERVICE, username=USERNAME, password="of another service")
    assert await status_of(receiver, body_of(**changes)) == 401
    assert await stored(inbox) == []
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("thingspace_async", "WARNING")
    line = record.getMessage()
    assert SERVICE in line
    assert "192.0.2.1" in line
    for value in (PASSWORD, "wrong", "of another service", "x" * 100, "somebody"):
        assert value not in line.replace("wrong username, password or signature", "")


async def test_all_comparisons_are_made_whatever_their_results(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = receiver_of(MemoryInbox())
    receiver.expect(SERVICE, username="second", password="another")
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for message_of in (message(), message(username="nobody"), message(username=None, password=None)):
        body = json.dumps(message_of, ensure_ascii=False).encode()
        compared.clear()
        await status_of(receiver, body)
        looked_at = [PASSWORD, "another"] if b"password" in body else []
        parsed = [USERNAME, PASSWORD, "second", "another"] if PASSWORD.encode() in body else []
        assert [one.decode() for one, _ in compared] == looked_at + parsed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"no json",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"\xff\xfe{}",
        b'{"requestId": "\xff"}',
        b'{"requestId": "\\ud800"}',
        b'{"a":1e999}',
        b"\x1f\x8b\x08\x00",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'"a":' + b"[" * 100_000,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
async def test_a_body_that_is_not_a_json_object_gets_401_or_400_if_it_has_the_password(
    receiver: Receiver, inbox: SqliteInbox, body: bytes
) -> None:
    assert await status_of(receiver, body) == 401
    opening = b"{" if body[:1] == b"{" else b""
    known = opening + f'"password":"{PASSWORD}",'.encode() + body[len(opening) :]
    assert await status_of(receiver, known) == 400
    assert await stored(inbox) == []


def spelled(name: str, value: str) -> str:
    """Write a member with an escape for each character. No encoder does so."""
    units = [text.encode("utf-16-be").hex(" ", 2).split() for text in (name, value)]
    return ": ".join('"' + "".join(f"\\u{unit}" for unit in one) + '"' for one in units)


@pytest.mark.parametrize("password", [PASSWORD, "p", 'all "quoted" \\ / and 😀', "x" * 300])
@pytest.mark.parametrize(
    "write", [json.dumps, lambda text: json.dumps(text, ensure_ascii=False)], ids=["ascii", "utf8"]
)
async def test_a_password_is_found_in_any_json_encoding(
    receiver: Receiver, write: Callable[[str], str], password: str
) -> None:
    receiver.expect(SERVICE, username="odd", password=password)
    plain = f'"username": "odd", "password": {write(password)}'
    escaped = f'"username": "odd", {spelled("password", password)}'
    slashed = plain.replace("/", "\\/")
    nested = f'"credential": {{"password": "of a device"}}, {plain}'
    capitals = re.sub(r"u[0-9a-f]{4}", lambda found: found[0].upper().replace("U", "u"), escaped)
    for number, members in enumerate((plain, escaped, capitals, slashed, nested)):
        body = f'{{{members}, "requestId": "{number}"}}'.encode()
        assert await status_of(receiver, body) == 200, members
        assert await status_of(receiver, body[1:].replace(b"requestId", b"requestID")) == 200, "without its first brace"


async def test_a_message_with_too_many_passwords_is_refused(receiver: Receiver) -> None:
    stuffed = b"{" + b'"password":"x",' * 100 + body_of()[1:]
    assert await status_of(receiver, stuffed) == 401


async def test_an_unreadable_password_is_skipped(receiver: Receiver) -> None:
    broken = rb'{"password": "\x",' + body_of()[1:]
    assert await status_of(receiver, broken) == 400
    assert await status_of(receiver, rb'{"password": "\x"}') == 401


@pytest.mark.parametrize(
    "part",
    [
        b"[]",
        b"{}",
        b'{"":{}}',
        b'"' + b"a" * 18 + b'",[]',
        b'"\\n"',
        b"1",
        b'"password":"x"',
        b'"password":"\\\\"',
        b'"p',
    ],
)
def test_a_megabyte_of_nonsense_from_a_stranger_costs_little_time(part: bytes) -> None:
    """Not an async test: its monitoring would count as time."""
    body = b'{"a":[' + b",".join([part] * ((1024 * 1024 - 8) // (len(part) + 1))) + b"]}"

    async def status() -> int:
        async with MemoryInbox() as inbox:
            return await status_of(receiver_of(inbox, max_body=len(body)), body)

    spent, parsing = [], []
    for _ in range(3):  # Use the fastest, as the machine may be busy.
        started = time.process_time()
        assert asyncio.run(status()) in (400, 401)
        spent.append(time.process_time() - started)
        started = time.process_time()
        json.loads(b"[[]" + b",[]" * (1024 * 1024 // 3) + b"]")
        parsing.append(time.process_time() - started)
    assert min(spent) < min(parsing) / 2


@pytest.mark.parametrize("count", [2_000, 15_000])
@pytest.mark.parametrize(
    "part",
    [
        {"id": "3475550100", "kind": "mdn"},
        {"deviceIds": [{"id": "3475550100", "kind": "mdn"}]},
        {"ids": [{"id": "1", "kind": "esn"}]},
        {"key": "a", "value": ""},
        [-122.3, 47.6],
    ],
    ids=json.dumps,
)
async def test_a_long_list_of_small_items_is_stored(inbox: SqliteInbox, part: object, count: int) -> None:
    receiver = receiver_of(inbox, max_body=2 * 1024 * 1024)
    body = body_of(comment="x" * 64 * 1024, devices=[part] * count)
    body = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert await status_of(receiver, body) == 200


@pytest.mark.parametrize(("depth", "status"), [(20, 200), (100, 400), (300, 400), (1000, 400)])
async def test_a_deeply_nested_message_gets_400(
    receiver: Receiver, inbox: SqliteInbox, depth: int, status: int
) -> None:
    body = body_of(deviceResponse=None)[:-1] + b', "deviceResponse": ' + b"[" * depth + b"]" * depth + b"}"
    assert await status_of(receiver, body) == status
    assert len(await stored(inbox)) == (1 if status == 200 else 0)


async def test_a_nested_message_of_a_stranger_gets_401(receiver: Receiver) -> None:
    nested = b"[" * 300 + b"]" * 300
    assert await status_of(receiver, b'{"username":"x","password":"y","a":' + nested + b"}") == 401


async def test_a_missing_opening_brace_is_added(receiver: Receiver, inbox: SqliteInbox) -> None:
    assert await status_of(receiver, body_of()[1:]) == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_an_unknown_service_gets_404(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    for service in (OTHER_SERVICE, "", None, "x" * 10_000, "a\nb", SERVICE.lower()):
        assert await status_of(receiver, body_of(), service=service) == 404
    assert caplog.records == []  # There is no warning: scanners send such requests.


async def test_a_line_break_in_a_service_cannot_forge_log_lines(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert await status_of(receiver, body_of(), service="a\nERROR all is lost" + "x" * 10_000) == 404
    assert "\n" not in caplog.messages[0]
    assert len(caplog.messages[0]) < 200


async def test_a_forgotten_service_gets_404(receiver: Receiver) -> None:
    receiver.forget(SERVICE)
    receiver.forget(SERVICE)
    assert await status_of(receiver, body_of()) == 404


async def test_accounts_with_different_usernames_share_a_url(receiver: Receiver) -> None:
    receiver.expect(SERVICE, username="second", password=Secret("another"))
    assert await status_of(receiver, body_of()) == 200
    assert await status_of(receiver, body_of(username="second", password="another")) == 200
    assert await status_of(receiver, body_of(username="second")) == 401
    receiver.forget(SERVICE, username="second")
    assert await status_of(receiver, body_of(username="second", password="another")) == 401
    assert await status_of(receiver, body_of()) == 200


async def test_expecting_a_username_again_replaces_its_password(receiver: Receiver) -> None:
    receiver.expect(SERVICE, username=USERNAME, password="new")
    assert await status_of(receiver, body_of()) == 401
    assert await status_of(receiver, body_of(password="new")) == 200


async def test_a_service_may_be_forgotten_while_its_message_is_read(inbox: SqliteInbox) -> None:
    receiver = receiver_of(inbox)
    parts = [body_of(), b""]

    async def read() -> bytes:
        receiver.forget(SERVICE)
        return parts.pop(0)

    reply = await receiver.receive(read, method="POST", headers={}, peer=None, service=SERVICE)
    assert reply.status == 401


async def test_a_body_above_the_limit_gets_413(inbox: SqliteInbox) -> None:
    whole = body_of()
    assert await status_of(receiver_of(inbox, max_body=len(whole)), whole) == 200
    assert await status_of(receiver_of(inbox, max_body=len(whole) - 1), whole) == 413


class Failing(MemoryInbox):
    """An inbox that cannot store."""

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        raise InboxUnavailable("the disk is full")


class Slow(MemoryInbox):
    """An inbox that never finishes storing."""

    cancelled = False

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return True


async def test_if_the_inbox_fails_the_answer_is_503_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    assert await status_of(receiver_of(Failing()), body_of()) == 503
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "the disk is full" in record.getMessage()
    assert PASSWORD not in record.getMessage()


async def test_the_answer_is_503_if_the_inbox_is_closed(inbox: SqliteInbox) -> None:
    await inbox.close()
    assert await status_of(receiver_of(inbox), body_of()) == 503


async def test_the_answer_is_503_if_the_inbox_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Slow()
    assert await status_of(receiver_of(inbox, timeout=0.05), body_of()) == 503
    assert inbox.cancelled
    assert "0.05 s" in caplog.text


async def test_a_cancellation_is_not_swallowed() -> None:
    inbox = Slow()
    task = asyncio.create_task(status_of(receiver_of(inbox), body_of()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inbox.cancelled


async def test_a_repeat_gets_200_and_is_stored_once(receiver: Receiver, inbox: SqliteInbox) -> None:
    for attempt in range(1, 5):
        assert await status_of(receiver, body_of(callbackCount=attempt)) == 200
    assert len(await stored(inbox)) == 1


def sign(body: bytes, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


@pytest.mark.parametrize("header", ["X-Signature", "x-signature", "X-SIGNATURE"])
@pytest.mark.parametrize(
    "write",
    [bytes.hex, lambda digest: "sha256=" + digest.hex().upper(), lambda digest: base64.b64encode(digest).decode()],
    ids=["hex", "prefixed", "base64"],
)
async def test_a_signed_message_is_stored(inbox: SqliteInbox, header: str, write: Any) -> None:
    receiver = Receiver(inbox)
    receiver.expect_signed(SIGNED, SECRET)
    body = b'{"txid": "%s"}' % REQUEST_ID.encode()
    reply = await receiver.handle(body, headers={header: write(sign(body))}, peer=None, service=SIGNED)
    assert reply.status == 200
    assert len(await stored(inbox)) == 1


async def test_a_signed_message_may_lack_its_first_brace(inbox: SqliteInbox) -> None:
    receiver = Receiver(inbox)
    receiver.expect_signed(SIGNED, Secret(SECRET), header="Digest")
    body = b'"txid": "1"}'
    assert await status_of(receiver, body, service=SIGNED, Digest=sign(body).hex()) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Signature": ""},
        {"X_Signature": sign(b"{}", "another").hex()},
        {"X_Signature": sign(b"{ }").hex()},
        {"X_Signature": sign(b"{}").hex()[:-1]},
        {"X_Signature": "ÿ" * 64},
        {"Another": sign(b"{}").hex()},
    ],
    ids=repr,
)
async def test_a_wrong_signature_gets_401(
    inbox: SqliteInbox, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    receiver = Receiver(inbox)
    receiver.expect_signed(SIGNED, SECRET)
    assert await status_of(receiver, b"{}", service=SIGNED, **headers) == 401
    assert SECRET not in caplog.text
    assert len(caplog.records) == 1
    assert await stored(inbox) == []


async def test_a_password_is_not_accepted_as_a_signature(inbox: SqliteInbox) -> None:
    receiver = Receiver(inbox)
    receiver.expect_signed(SIGNED, SECRET)
    assert await status_of(receiver, body_of(username=SECRET, password=SECRET), service=SIGNED) == 401


@pytest.mark.parametrize(
    ("allowed", "peer", "status"),
    [
        (None, None, 200),
        (None, "anything", 200),
        (["192.0.2.0/24"], "192.0.2.77", 200),
        (["192.0.2.0/24"], "192.0.3.77", 403),
        (["192.0.2.0/24"], "::ffff:192.0.2.77", 200),
        (["192.0.2.0/24"], "::ffff:192.0.3.77", 403),
        (["192.0.2.0/24"], "2001:db8::1", 403),
        (["2001:db8::/32"], "2001:db8::1", 200),
        (["2001:db8::/32"], "192.0.2.77", 403),
        (["fe80::/10"], "fe80::1%eth0", 200),
        (["192.0.2.77"], "192.0.2.77", 200),
        (["192.0.2.0/24"], None, 403),
        (["192.0.2.0/24"], "testclient", 403),
        (["192.0.2.0/24"], "", 403),
        ([], "192.0.2.77", 403),
        (PUBLISHED_ADDRESSES, "3.87.163.45", 200),
        (PUBLISHED_ADDRESSES, "127.0.0.1", 403),
    ],
)
async def test_only_allowed_addresses_may_send(inbox: SqliteInbox, allowed: Any, peer: str | None, status: int) -> None:
    receiver = receiver_of(inbox, allowed_addresses=allowed)
    assert await status_of(receiver, body_of(), peer=peer) == status
    assert len(await stored(inbox)) == (1 if status == 200 else 0)


async def test_a_header_does_not_change_the_senders_address(inbox: SqliteInbox) -> None:
    receiver = receiver_of(inbox, allowed_addresses=["192.0.2.0/24"])
    forged = {"X_Forwarded_For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X_Real_IP": "192.0.2.1"}
    assert await status_of(receiver, body_of(), peer="198.51.100.1", **forged) == 403


@pytest.mark.parametrize("allowed", ["192.0.2.1", ["nonsense"], ["192.0.2.1/24"], ["300.1.1.1"]])
def test_an_invalid_network_is_refused_at_once(allowed: Any) -> None:
    with pytest.raises(ConfigurationError, match="allowed_addresses"):
        Receiver(MemoryInbox(), allowed_addresses=allowed)


@pytest.mark.parametrize(
    ("service", "username", "password"),
    [("", "a", "b"), ("a/b", "a", "b"), ("s", "", "b"), ("s", "a", ""), ("s", "a\n", "b"), ("s", "a", "b\0")],
)
async def test_empty_and_unusable_credentials_are_refused(service: str, username: str, password: str) -> None:
    receiver = Receiver(MemoryInbox())
    with pytest.raises(ConfigurationError) as raised:
        receiver.expect(service, username=username, password=password)
    assert password not in str(raised.value) or len(password) < 2
    assert await status_of(receiver, body_of(username=username, password=password), service=service) == 404


@pytest.mark.parametrize(("secret", "header"), [("", "X-Signature"), ("secret", "")])
def test_an_empty_secret_or_header_is_refused(secret: str, header: str) -> None:
    with pytest.raises(ConfigurationError, match="must not be empty"):
        Receiver(MemoryInbox()).expect_signed(SIGNED, secret, header=header)


def test_each_service_has_its_own_url() -> None:
    receiver = Receiver(MemoryInbox())
    assert receiver.url_of("https://example.com/callbacks/", "CarrierService") == (
        "https://example.com/callbacks/CarrierService"
    )
    assert receiver.url_of("https://example.com", "My Service?") == "https://example.com/My%20Service%3F"


def test_no_repr_shows_a_secret() -> None:
    receiver = receiver_of(MemoryInbox())
    receiver.expect_signed(SIGNED, SECRET)
    shown = repr(receiver) + repr(vars(receiver))
    assert PASSWORD not in shown
    assert SECRET not in shown


def test_the_published_addresses_are_addresses() -> None:
    assert Receiver(MemoryInbox(), allowed_addresses=PUBLISHED_ADDRESSES)
    assert len(set(PUBLISHED_ADDRESSES)) == 9


# Credentials in a header

EVENT = b'{"kind": "ts.event", "action": "create", "data": {"id": "1", "kind": "ts.event"}}'


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic(f"{USERNAME}:{PASSWORD}"), 200),
        (basic(f"{USERNAME}:{PASSWORD}").replace("Basic", "basic  "), 200),
        (basic(f"{USERNAME}:wrong"), 401),
        (basic(f"wrong:{PASSWORD}"), 401),
        (basic(f":{PASSWORD}"), 401),
        (basic(USERNAME), 401),
        (f"Bearer {PASSWORD}", 401),
        ("Basic !", 401),
        ("Basic /w==", 401),
        ("Basic", 401),
        ("", 401),
    ],
)
@pytest.mark.parametrize("service", ["CloudConnector", "", None])
async def test_the_header_may_have_the_username_and_the_password(
    receiver: Receiver,
    inbox: SqliteInbox,
    caplog: pytest.LogCaptureFixture,
    *,
    header: str,
    status: int,
    service: str | None,
) -> None:
    receiver.expect("CloudConnector", username=USERNAME, password=Secret(PASSWORD))
    assert await status_of(receiver, EVENT, service=service, authorization=header) == status
    assert await stored(inbox) == ([("ts.event", "CloudConnector")] if status == 200 else [])
    assert PASSWORD not in caplog.text


AGGREGATED = b' [{"kind": "ts.event", "id": "1"}, {"kind": "ts.event", "id": "2"}, {"kind": "ts.event", "id": "1"}]'


@pytest.mark.parametrize(
    ("body", "status", "count"),
    [
        (AGGREGATED, 200, 2),
        (b"[]", 200, 0),
        (b"[1]", 400, 0),
        (b'[{"kind": "ts.event", "id": "1"}, null]', 400, 0),
        (b"[", 400, 0),
        (b"[" * 100_000, 400, 0),
        (b'[{"a": ' * 200 + b"}]" * 200, 400, 0),
    ],
)
async def test_aggregated_events_are_stored_one_by_one_and_once(
    receiver: Receiver, inbox: SqliteInbox, body: bytes, status: int, count: int
) -> None:
    receiver.expect("CloudConnector", username=USERNAME, password=Secret(PASSWORD))
    for _ in range(2):
        known = basic(f"{USERNAME}:{PASSWORD}")
        assert await status_of(receiver, body, service="CloudConnector", Authorization=known) == status
    assert len(await stored(inbox)) == count


def _contents(inbox: SqliteInbox) -> bytes:
    """Return all bytes of the inbox's files."""
    return b"".join(path.read_bytes() for path in inbox._path.parent.glob(f"{inbox._path.name}*"))


async def test_events_of_a_list_are_stored_without_username_and_password(
    receiver: Receiver, inbox: SqliteInbox
) -> None:
    receiver.expect("CloudConnector", username=USERNAME, password=Secret(PASSWORD))
    body = b'[{"kind": "ts.event", "id": "1", "Username": "%b", "password": "%b"}]' % (
        USERNAME.encode(),
        PASSWORD.encode(),
    )
    known = basic(f"{USERNAME}:{PASSWORD}")
    assert await status_of(receiver, body, service="CloudConnector", Authorization=known) == 200
    (received,) = [one async for one in inbox.read()]
    assert isinstance(received.message, EventMessage)
    assert received.message.event.id == "1"
    assert PASSWORD not in f"{received.message.event!r} {received.message.event.to_json()}"
    assert PASSWORD.encode() not in _contents(inbox)


async def test_an_event_that_cannot_be_read_takes_no_other_with_it(receiver: Receiver, inbox: SqliteInbox) -> None:
    receiver.expect("CloudConnector", username=USERNAME, password=Secret(PASSWORD))
    deep = b'{"kind": "ts.event", "id": "2", "fields": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}"
    body = b'[{"kind": "ts.event", "id": "1"}, %b, {"kind": "ts.event", "id": "3"}]' % deep
    known = basic(f"{USERNAME}:{PASSWORD}")
    assert await status_of(receiver, body, service="CloudConnector", Authorization=known) == 400
    assert len(await stored(inbox)) == 2


async def test_a_long_list_gets_through_a_slow_inbox() -> None:
    class Slow(MemoryInbox):
        async def store(self, body: bytes, *, service: str | None = None) -> bool:
            await asyncio.sleep(0.02)
            return await super().store(body, service=service)

    async with Slow() as inbox:
        receiver = Receiver(inbox, timeout=0.5)
        receiver.expect("CloudConnector", username=USERNAME, password=Secret(PASSWORD))
        body = json.dumps([{"kind": "ts.event", "id": str(number)} for number in range(100)]).encode()
        known = basic(f"{USERNAME}:{PASSWORD}")
        assert await status_of(receiver, body, service="CloudConnector", Authorization=known) == 200
        assert len([one async for one in inbox.read()]) == 100


async def test_a_list_from_a_stranger_is_refused(receiver: Receiver, inbox: SqliteInbox) -> None:
    assert await status_of(receiver, b'[{"username": "%b", "password": "%b"}]' % (USERNAME.encode(), b"wrong")) == 401
    body = b'[{"username": "%b", "password": "%b"}]' % (USERNAME.encode(), PASSWORD.encode())
    assert await status_of(receiver, body) == 400
    assert await stored(inbox) == []


async def test_a_url_without_a_path_is_unknown_until_events_are_expected(receiver: Receiver) -> None:
    assert await status_of(receiver, EVENT, service="", Authorization=basic(f"{USERNAME}:{PASSWORD}")) == 404
