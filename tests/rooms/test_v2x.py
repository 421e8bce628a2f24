"""V2X: a client is enrolled once, its key is handed over first, and GeoJSON has the longitude first."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import ssl
import sys
import tempfile
import threading
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from cryptography.hazmat.primitives import serialization

from tests.filled import POLYGON
from thingspace_async import Secret, Session, errors
from thingspace_async.simulator import Assumptions, Simulator, Status
from thingspace_async.v2x import (
    AreaMapQuery,
    ClientFilter,
    ClientLookup,
    ClientQuery,
    ConnectionRequest,
    EnrolledClient,
    Intersection,
    IntersectionMapQuery,
    MapMessage,
    MapMessageText,
    Place,
    RegisterClientRequest,
    RegisteredClient,
)

VENDOR = "vendor"
ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"
OTHER = "7d0e3a52-1c57-4b1c-8a3e-5b8f0c9d6e21"
IMEI = "990013907835573"
ATLANTA = Place(latitude=33.45, longitude=-84.55)
BEGIN_OF_KEY = "-----BEGIN PRIVATE KEY-----"
REFUSED = Status(404, {"error": "Not Found", "description": "Device not found"})


def asking(vendor_id: str = VENDOR, **ids: Any) -> RegisterClientRequest:
    return RegisterClientRequest(
        client_type="Vehicle", client_subtype="PassengerCar", vendor_id=vendor_id, **(ids or {"device_id": ID})
    )


class Store:
    """A keeper that remembers the clients and the calls that the platform had received by then."""

    def __init__(self, cloud: Simulator) -> None:
        self.cloud = cloud
        self.kept: list[RegisteredClient] = []
        self.calls: list[str | None] = []

    async def keep(self, client: RegisteredClient) -> None:
        await asyncio.sleep(0)
        self.kept.append(client)
        self.calls = [one.operation for one in self.cloud.requests]


@pytest.fixture
def store(thingspace_simulator: Simulator) -> Store:
    return Store(thingspace_simulator)


async def enrol(session: Session, store: Store, **ids: Any) -> EnrolledClient:
    return await session.v2x.enrol(asking(**ids), ATLANTA, keep=store.keep, pending_for=timedelta(milliseconds=1))


def key_of(client: RegisteredClient) -> str:
    assert client.certificate is not None
    return client.certificate.private_key.reveal()


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def take(cloud: Simulator, delay: timedelta) -> None:
    """Let registrations be pending for some time."""
    cloud.assumptions = Assumptions(v2x_registration_takes=delay)


# Clients


async def test_a_call_has_the_session_token_and_the_vendor_in_their_own_headers(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    await thingspace_session.v2x.clients.register(asking())
    await thingspace_session.v2x.clients.renew(VENDOR, UUID(ID))
    headers = {name.casefold(): value for name, value in thingspace_simulator.requests[-1].headers.items()}
    assert (headers["vendorid"], headers["deviceid"]) == (VENDOR, ID)
    assert "sessiontoken" in headers
    assert "vz-m2m-token" not in headers


async def test_a_private_key_is_never_shown(thingspace_session: Session, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    made = await thingspace_session.v2x.clients.register(asking())
    found = await thingspace_session.v2x.clients.get(VENDOR, ClientLookup(device_id=ID))
    assert found.certificate == made.certificate
    assert isinstance(found.certificate and found.certificate.private_key, Secret)
    assert key_of(made).startswith(BEGIN_OF_KEY)
    assert key_of(made) not in f"{made!r} {found!r} {made.to_json()} {caplog.text}"


async def test_clients_are_listed_by_their_type_and_page_by_page(thingspace_session: Session) -> None:
    clients = thingspace_session.v2x.clients
    await clients.register(asking())
    truck = RegisterClientRequest(client_type="Vehicle", client_subtype="Truck", vendor_id=VENDOR, device_id=OTHER)
    await clients.register(truck)

    async def listed(chosen: ClientFilter | None = None) -> list[str]:
        return [one.device_id for one in await clients.list_page(ClientQuery(vendor_id=VENDOR, filter=chosen))]

    assert await listed() == [ID, OTHER]
    assert await listed(ClientFilter(client_subtype="Truck")) == [OTHER]
    assert await listed(ClientFilter(page_size=1)) == [ID]
    assert await listed(ClientFilter(page="1")) == [OTHER]
    with pytest.raises(errors.InvalidRequest, match="either page or page_size"):
        ClientFilter(page="1", page_size=1)


async def test_several_clients_are_unregistered_at_once(thingspace_session: Session) -> None:
    clients = thingspace_session.v2x.clients
    for one in (ID, OTHER):
        await clients.register(asking(device_id=one))
    await clients.unregister(VENDOR, [ID, UUID(OTHER)])
    assert await clients.list_page(ClientQuery(vendor_id=VENDOR)) == ()
    with pytest.raises(errors.NotFound):
        await clients.unregister(VENDOR, [ID])


@pytest.mark.parametrize("wrong", ["", "abc", [], [ID, "abc"], ID, [5]])
async def test_only_uuids_are_unregistered(
    thingspace_simulator: Simulator, thingspace_session: Session, wrong: Any
) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"v2x.clients.unregister: .* UUID"):
        await thingspace_session.v2x.clients.unregister(VENDOR, wrong)
    assert thingspace_simulator.count("v2x.clients.unregister") == 0


@pytest.mark.parametrize("wrong", [None, [], "", 5])
async def test_nothing_is_deleted_without_an_id(
    thingspace_simulator: Simulator, thingspace_session: Session, wrong: Any
) -> None:
    v2x, before = thingspace_session.v2x, len(thingspace_simulator.requests)
    no_number: Any = "5" if wrong == 5 else wrong
    with pytest.raises(errors.InvalidRequest, match=r"v2x.geofences.delete: id in the URL must"):
        await v2x.geofences.delete(VENDOR, wrong)
    with pytest.raises(errors.InvalidRequest, match="intersection_id must be an int"):
        await v2x.map_messages.delete(region_id=0, intersection_id=no_number)
    with pytest.raises(errors.InvalidRequest, match="header MessageStandard must"):
        await v2x.map_messages.upload(VENDOR, MapMessage(message_id=18, value=CROSSING), standard=wrong)
    assert len(thingspace_simulator.requests) == before


async def test_more_clients_than_a_url_has_room_for_are_refused(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    clients = thingspace_session.v2x.clients
    many = [str(UUID(int=number)) for number in range(300)]
    with pytest.raises(errors.InvalidRequest, match=r"^v2x.clients.unregister: .* 8,000 is the limit: send fewer"):
        await clients.unregister(VENDOR, many)
    assert thingspace_simulator.count("v2x.clients.unregister") == 0
    with pytest.raises(errors.NotFound):
        await clients.unregister(VENDOR, many[:100])


@pytest.mark.parametrize("ids", [{}, {"imei": IMEI, "device_id": ID}, {"device_id": "abc"}])
def test_a_client_is_looked_up_by_one_identifier(ids: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidRequest):
        ClientLookup(**ids)


async def test_a_lookup_must_be_one(thingspace_session: Session) -> None:
    wrong: Any = {"IMEI": IMEI}
    with pytest.raises(errors.InvalidRequest, match="lookup must be a ClientLookup, not dict"):
        await thingspace_session.v2x.clients.get(VENDOR, wrong)


async def test_the_servers_for_a_place_and_the_roles_are_looked_up(thingspace_session: Session) -> None:
    v2x = thingspace_session.v2x
    await v2x.clients.register(asking())
    request = ConnectionRequest(device_id=ID, place=ATLANTA, network_type="non-VZ")
    one, several = await v2x.connection(VENDOR, request), await v2x.connections(VENDOR, request)
    assert one.url == several.urls[0] == f"mqtts://{one.host}:{one.port}"
    assert len(several.urls) == len(several.hosts) == len(several.ports) > 1
    roles = await v2x.roles(VENDOR)
    assert roles[0].publish


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), (float("nan"), 0), ("33", 0), (True, 0)])
def test_a_place_must_be_on_earth(latitude: Any, longitude: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="must be a number from -"):
        Place(latitude=latitude, longitude=longitude)


# Enrolment


async def test_a_new_client_is_kept_before_it_is_connected(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    client = await enrol(thingspace_session, store)
    (kept,) = store.kept
    assert (kept.device_id, kept.certificate) == (ID, client.certificate)
    assert store.calls[-1] == "v2x.clients.register"
    assert thingspace_simulator.requests[-1].operation == "v2x.connections"
    assert client.urls[0].startswith("mqtts://")
    assert client.certificate.private_key.reveal() not in repr(client)


async def test_the_context_authenticates_the_client_to_a_server(
    thingspace_session: Session, store: Store, tmp_path: Path
) -> None:
    client = await enrol(thingspace_session, store)
    files = {"cert.pem": client.certificate.certificate, "key.pem": client.certificate.private_key.reveal()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    serving.load_verify_locations(cadata=client.certificate.authority)
    serving.verify_mode = ssl.CERT_REQUIRED
    names: list[object] = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names.append(writer.get_extra_info("peercert")["subject"])
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=serving) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client.context)
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()
    assert names == [((("commonName", "Simulated ETX client"),),)]


@pytest.mark.parametrize("ids", [{"device_id": ID}, {"imei": IMEI}])
async def test_a_second_enrolment_renews_instead_of_registering(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store, ids: dict[str, str]
) -> None:
    first = await enrol(thingspace_session, store, **ids)
    second = await enrol(thingspace_session, store, **ids)
    assert second.device_id == first.device_id
    assert thingspace_simulator.count("v2x.clients.register") == 1
    assert thingspace_simulator.count("v2x.clients.renew") == 1
    assert len(store.kept) == 2


async def test_a_certificate_that_ends_tomorrow_is_renewed(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    first = await enrol(thingspace_session, store)
    thingspace_simulator.clock.advance(timedelta(days=364))
    second = await enrol(thingspace_session, store)
    assert first.certificate.expires_at is not None
    assert second.certificate.expires_at is not None
    assert second.certificate.expires_at - first.certificate.expires_at >= timedelta(days=363)


async def test_a_client_whose_certificate_has_ended_is_refused_until_it_is_enrolled_again(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    await enrol(thingspace_session, store)
    thingspace_simulator.clock.advance(timedelta(days=366))
    request = ConnectionRequest(device_id=ID, place=ATLANTA, network_type="VZ")
    with pytest.raises(errors.Forbidden, match="certificate has expired"):
        await thingspace_session.v2x.connections(VENDOR, request)
    await enrol(thingspace_session, store)
    assert (await thingspace_session.v2x.connections(VENDOR, request)).urls


async def test_a_client_that_another_process_has_just_registered_is_renewed(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    cloud = thingspace_simulator
    await thingspace_session.v2x.clients.register(asking(imei=IMEI))
    cloud.faults.add("v2x.clients.get", REFUSED)  # It asked before the other process registered.
    client = await enrol(thingspace_session, store, imei=IMEI)
    assert (cloud.count("v2x.clients.register"), cloud.count("v2x.clients.renew")) == (2, 1)
    assert client.device_id == store.kept[0].device_id


async def test_a_client_of_another_vendor_cannot_be_enrolled(thingspace_session: Session, store: Store) -> None:
    await thingspace_session.v2x.clients.register(asking("another", imei=IMEI))
    with pytest.raises(errors.BadRequest, match="device already registered"):
        await enrol(thingspace_session, store, imei=IMEI)
    assert store.kept == []


async def test_any_other_refusal_is_raised(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    refusal = Status(403, {"error": "Forbidden", "description": "the number of clients is exceeded"})
    thingspace_simulator.faults.add("v2x.clients.register", refusal)
    with pytest.raises(errors.Forbidden, match="the number of clients is exceeded"):
        await enrol(thingspace_session, store)


async def test_a_pending_registration_is_finished_by_a_later_enrolment(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    cloud = thingspace_simulator
    take(cloud, timedelta(hours=1))
    registered = await thingspace_session.v2x.clients.register(asking())
    assert (registered.device_id, registered.certificate) == (ID, None)
    with pytest.raises(errors.RequestPending, match=f"the registration of {ID} is still pending"):
        await enrol(thingspace_session, store)
    assert store.kept == []
    cloud.clock.advance(timedelta(hours=1))
    assert (await enrol(thingspace_session, store)).device_id == ID
    assert len(store.kept) == 1


async def test_a_pending_registration_is_awaited(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingspace_async.v2x.enrolling._FIRST_PAUSE", 0.0)
    cloud = thingspace_simulator
    take(cloud, timedelta(hours=1))
    request = RegisterClientRequest(client_type="Vehicle", client_subtype="Bus", vendor_id=VENDOR)
    task = asyncio.create_task(thingspace_session.v2x.enrol(request, ATLANTA, keep=store.keep))
    while cloud.count("v2x.clients.renew") < 2:
        await asyncio.sleep(0.001)
    cloud.clock.advance(timedelta(hours=1))
    client = await task
    assert client.device_id == store.kept[0].device_id
    assert cloud.count("v2x.clients.register") == 1


@pytest.mark.parametrize("body", [b"", "client registration is pending", {"description": "it is pending"}])
async def test_a_pending_registration_without_an_id_cannot_be_finished(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store, body: object
) -> None:
    thingspace_simulator.faults.add("v2x.clients.register", Status(202, body))
    with pytest.raises(errors.AnswerUnreadable, match="DeviceID: is missing"):
        await enrol(thingspace_session, store, imei=IMEI)


async def test_an_unreadable_answer_with_another_status_is_not_taken_for_pending(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    thingspace_simulator.faults.add("v2x.clients.register", Status(200, "registered"))
    with pytest.raises(errors.AnswerUnreadable):
        await thingspace_session.v2x.clients.register(asking())


async def test_a_key_that_cannot_be_written_is_on_the_error_but_not_shown(
    thingspace_session: Session, tmp_path: Path
) -> None:
    def keep(client: RegisteredClient) -> None:
        (tmp_path / "missing" / "key.pem").write_text(key_of(client))

    with pytest.raises(errors.SecretNotKept, match=r"did not store the certificate and its key \(File") as caught:
        await thingspace_session.v2x.enrol(asking(), ATLANTA, keep=keep)
    key = key_of(caught.value.secret)
    assert key.startswith(BEGIN_OF_KEY)
    assert BEGIN_OF_KEY not in f"{caught.value} {caught.value!r} {caught.value.secret!r}"
    assert key.encode() not in pickle.dumps(caught.value)


async def test_a_cancelled_enrolment_still_keeps_its_key(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    began = asyncio.Event()

    async def keep(client: RegisteredClient) -> None:
        began.set()
        await asyncio.sleep(0.01)
        await store.keep(client)

    task = asyncio.create_task(thingspace_session.v2x.enrol(asking(), ATLANTA, keep=keep))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(store.kept) == 1
    assert thingspace_simulator.count("v2x.connections") == 0


async def test_a_client_with_an_identifier_of_another_one_is_refused_with_the_reason(
    thingspace_session: Session, store: Store
) -> None:
    await thingspace_session.v2x.clients.register(asking(device_id=OTHER, imei=IMEI))
    with pytest.raises(errors.BadRequest, match="already registered") as caught:
        await enrol(thingspace_session, store, device_id=ID, imei=IMEI)
    assert "another client has one of its identifiers" in caught.value.__notes__[0]
    assert store.kept == []


@pytest.fixture
def without_files_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("thingspace_async.v2x.enrolling._DESCRIPTORS", tmp_path / "missing")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no files in memory")
async def test_a_key_is_not_written_to_a_disk(
    thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    open_before = len(files(Path("/proc/self/fd")))
    client = await enrol(thingspace_session, store)
    assert client.context.get_ca_certs()
    assert len(files(Path("/proc/self/fd"))) <= open_before + 1  # The kept connection.


async def test_a_system_that_refuses_files_in_memory_gets_one_in_a_temporary_folder(
    thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(name: str) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    seen: list[tuple[int, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def watch(context: ssl.SSLContext, path: str, **rest: Any) -> None:
        seen.append((Path(path).stat().st_mode & 0o777, Path(path).parent.stat().st_mode & 0o777))
        load(context, path, **rest)

    monkeypatch.setattr(os, "memfd_create", refuse, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    assert (await enrol(thingspace_session, store)).context.get_ca_certs()
    assert seen == [(0o600, 0o700)]
    assert files(tmp_path) == []


@pytest.mark.usefixtures("without_files_in_memory")
async def test_without_a_temporary_folder_the_error_has_the_certificate_and_the_servers(
    thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(errors.ClientNotReady, match=r"no temporary file .* \(No such file or directory\)") as caught:
        await enrol(thingspace_session, store)
    (kept,) = store.kept
    assert (caught.value.device_id, caught.value.secret) == (ID, kept.certificate)
    assert caught.value.urls[0].startswith("mqtts://")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert (await enrol(thingspace_session, store)).certificate == kept.certificate


@pytest.mark.usefixtures("without_files_in_memory")
async def test_on_a_full_disk_no_part_of_the_key_is_left_or_shown(
    thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write_a_part(path: Path, text: str) -> int:
        with path.open("w") as file:
            file.write(text[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_text", write_a_part)
    with pytest.raises(errors.ClientNotReady, match="No space left on device") as caught:
        await enrol(thingspace_session, store)
    assert files(tmp_path) == []
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert BEGIN_OF_KEY not in shown
    assert len(store.kept) == 1


@pytest.mark.usefixtures("without_files_in_memory")
async def test_the_file_of_a_cancelled_enrolment_is_removed(
    thingspace_session: Session, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loading, go_on = asyncio.Event(), threading.Event()
    loop, load = asyncio.get_running_loop(), ssl.SSLContext.load_cert_chain

    def wait(context: ssl.SSLContext, path: str, **rest: Any) -> None:
        loop.call_soon_threadsafe(loading.set)
        go_on.wait(10)
        load(context, path, **rest)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", wait)
    task = asyncio.create_task(enrol(thingspace_session, store))
    await loading.wait()
    assert files(tmp_path)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    while files(tmp_path):
        await asyncio.sleep(0.001)
    assert len(store.kept) == 1


async def test_an_encrypted_key_is_refused_instead_of_asking_for_its_password(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    made = await thingspace_session.v2x.clients.register(asking())
    assert made.certificate is not None
    key = serialization.load_pem_private_key(key_of(made).encode(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hush"),
    )
    parts = {"cert.pem": made.certificate.certificate, "key.pem": encrypted.decode()}
    answer = {"DeviceID": ID, "Certificate": parts | {"ca.pem": made.certificate.authority}}
    thingspace_simulator.faults.add("v2x.clients.renew", Status(200, answer))
    with pytest.raises(errors.AnswerUnreadable, match="is not valid PEM"):
        await enrol(thingspace_session, store)
    assert len(store.kept) == 1


async def test_two_processes_that_enrol_the_same_client_get_the_same_certificate(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    async with Session(thingspace_simulator.credentials, environment=thingspace_simulator.environment) as other:
        clients = await asyncio.gather(
            *(enrol(session, store, imei=IMEI) for session in (thingspace_session, other) for _ in range(4))
        )
    assert len({client.device_id for client in clients}) == 1
    assert len({client.certificate for client in clients}) == 1
    assert len(store.kept) == 8
    listed = await thingspace_session.v2x.clients.list_page(ClientQuery(vendor_id=VENDOR))
    assert len(listed) == 1


async def test_a_process_that_died_before_it_kept_the_key_gets_the_key_again(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    """A registration, and nothing after it."""
    made = await thingspace_session.v2x.clients.register(asking(imei=IMEI))
    client = await enrol(thingspace_session, store, imei=IMEI)
    assert client.certificate == made.certificate
    assert store.kept[0].certificate == made.certificate


async def test_a_client_that_a_dead_process_left_pending_is_enrolled_later_by_its_imei(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store
) -> None:
    take(thingspace_simulator, timedelta(hours=1))
    await thingspace_session.v2x.clients.register(asking(imei=IMEI))
    with pytest.raises(errors.BadRequest, match="already registered") as caught:
        await enrol(thingspace_session, store, imei=IMEI)
    assert "its registration may be pending: enrol it again later" in caught.value.__notes__[0]
    thingspace_simulator.clock.advance(timedelta(hours=1))
    assert (await enrol(thingspace_session, store, imei=IMEI)).device_id == store.kept[0].device_id


@pytest.mark.parametrize("part", ["cert.pem", "key.pem", "ca.pem"])
async def test_a_broken_certificate_is_kept_but_not_used(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store, part: str
) -> None:
    made = await thingspace_session.v2x.clients.register(asking(device_id=OTHER))
    assert made.certificate is not None
    good = {
        "cert.pem": made.certificate.certificate,
        "key.pem": key_of(made),
        "ca.pem": made.certificate.authority,
        "ExpirationTime": "2027-01-01T00:00:00Z",
    }
    answer = {"DeviceID": OTHER, "Certificate": good | {part: "not PEM"}}
    thingspace_simulator.faults.add("v2x.clients.renew", Status(200, answer))
    with pytest.raises(errors.AnswerUnreadable, match="is not valid PEM") as caught:
        await enrol(thingspace_session, store, device_id=OTHER)
    assert len(store.kept) == 1
    assert BEGIN_OF_KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"place": {"Latitude": 1}}, "place must be a Place, not dict"),
        ({"keep": "key.pem"}, "keep must be a function or coroutine function, not str"),
        ({"pending_for": 5}, "pending_for must be a timedelta, not int"),
    ],
)
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, store: Store, wrong: dict[str, Any], reason: str
) -> None:
    arguments: dict[str, Any] = {"place": ATLANTA, "keep": store.keep, **wrong}
    before = len(thingspace_simulator.requests)
    with pytest.raises(errors.InvalidRequest, match=f"v2x.enrol: {reason}"):
        await thingspace_session.v2x.enrol(asking(), **arguments)
    assert len(thingspace_simulator.requests) == before


# Map messages

CROSSING = {"intersections": [{"id": {"region": 0, "id": 4711}, "refPoint": {"lat": 334200000, "long": -845500000}}]}


async def test_a_map_message_is_uploaded_found_and_deleted(thingspace_session: Session) -> None:
    maps = thingspace_session.v2x.map_messages
    message = MapMessage(message_id=18, value=CROSSING)
    assert await maps.upload(VENDOR, message) == "Map message ingested"
    by_number = IntersectionMapQuery(intersections=[Intersection(intersection_id=4711)], expected_type="JSON")
    for query in (by_number, AreaMapQuery(area=POLYGON, expected_type="JSON")):
        assert await maps.list_page(VENDOR, query) == ({"messageId": 18, "value": CROSSING},)
        later = attrs.evolve(query, page_token="1")
        assert await maps.list_page(VENDOR, later) == ()
    assert await maps.list_page("another", by_number) == ()
    await maps.delete(region_id=0, intersection_id=4711)
    assert await maps.list_page(VENDOR, by_number) == ()
    with pytest.raises(errors.NotFound):
        await maps.delete(region_id=0, intersection_id=4711)


async def test_a_map_message_as_a_string_is_sent_and_downloaded_as_text(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    maps = thingspace_session.v2x.map_messages
    for text in ("ABI=", "ABM="):
        await maps.upload(VENDOR, MapMessageText(text=text), standard="etsi")
    sent = thingspace_simulator.requests[-1]
    assert (sent.body, sent.headers["MessageStandard"]) == (b"ABM=", "etsi")
    assert sent.headers["Content-Type"].startswith("text/plain")
    assert await maps.download(VENDOR, POLYGON) == ("ABI=", "ABM=")


RING: Any = POLYGON["coordinates"]


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (
            {"type": "Polygon", "coordinates": [[[33.4, -112], [33.5, -112], [33.5, -113], [33.4, -112]]]},
            "latitude first",
        ),
        ({"type": "Polygon", "coordinates": [[[999, 0], [999, 1], [998, 1], [999, 0]]]}, "not on earth"),
        ({"type": "Polygon", "coordinates": [RING[0][:3]]}, "4 positions or more"),
        ({"type": "Polygon", "coordinates": [[*RING[0][:3], [0, 0]]]}, "the last equal to the first"),
        ({"type": "Polygon", "coordinates": [[[0], [1], [2], [0]]]}, "must be two numbers"),
        ({"type": "Polygon", "coordinates": [[["0", "1"]] * 4]}, "must be two numbers"),
        ({"type": "Polygon", "coordinates": []}, "has no coordinates"),
        ({"type": "Point", "coordinates": [0, 0]}, "must be a GeoJSON polygon"),
        ("Polygon", "must be a GeoJSON polygon"),
    ],
)
async def test_an_area_that_is_wrong_geojson_is_refused(
    thingspace_simulator: Simulator, thingspace_session: Session, area: Any, reason: str
) -> None:
    with pytest.raises(errors.InvalidRequest, match=reason):
        AreaMapQuery(area=area)
    with pytest.raises(errors.InvalidRequest, match=reason):
        await thingspace_session.v2x.map_messages.download(VENDOR, area)
    assert thingspace_simulator.count("v2x.map_messages.download") == 0


async def test_a_keeper_whose_own_task_was_cancelled_has_not_kept_the_key(
    thingspace_session: Session,
) -> None:
    async def keep(_: RegisteredClient) -> None:
        writing = asyncio.create_task(asyncio.sleep(60))
        writing.cancel()
        await writing

    with pytest.raises(errors.SecretNotKept) as caught:
        await thingspace_session.v2x.enrol(asking(), ATLANTA, keep=keep)
    assert key_of(caught.value.secret).startswith(BEGIN_OF_KEY)
