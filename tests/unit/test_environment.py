"""Credentials and Environment refuse invalid values before anything is sent, without showing a secret."""

import copy
import itertools
import pickle
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thingspace_async
from tests.facts import servers
from thingspace_async._core.environment import Credentials, Environment
from thingspace_async._core.operation import Server
from thingspace_async._core.types import Secret
from thingspace_async.errors import ConfigurationError

GOOD = {"client_id": "key", "client_secret": "s-hidden", "username": "user", "password": "p-hidden"}
VARIABLES = {f"THINGSPACE_{name.upper()}": value for name, value in GOOD.items()}

PACKAGE = str(Path(thingspace_async.__file__).parent)

# Our name for each server, and its name in the platform's list.
NAMES: dict[Server, str] = {
    "thingspace": "thingspace",
    "oauth": "o_auth_server",
    "m2m": "m2_m",
    "location": "device_location",
    "subscriptions": "subscription_server",
    "software_management_v1": "software_management_v1",
    "software_management_v2": "software_management_v2",
    "software_management_v3": "software_management_v3",
    "diagnostics": "device_diagnostics",
    "cloud_connector": "cloud_connector",
    "hyper_precise_location": "hyper_precise_location",
    "hyper_precise_credentials": "hyper_precise_credentials",
    "quality_of_service": "quality_of_service",
    "edge_services": "services",
    "imp": "imp_server",
}

BASES: dict[str, dict[Server, str]] = {
    "production": {
        "thingspace": "https://thingspace.verizon.com/api",
        "oauth": "https://thingspace.verizon.com/api/ts/v1",
        "m2m": "https://thingspace.verizon.com/api/m2m",
        "location": "https://thingspace.verizon.com/api/loc/v1",
        "subscriptions": "https://thingspace.verizon.com/api/subsc/v1",
        "software_management_v1": "https://thingspace.verizon.com/api/fota/v1",
        "software_management_v2": "https://thingspace.verizon.com/api/fota/v2",
        "software_management_v3": "https://thingspace.verizon.com/api/fota/v3",
        "diagnostics": "https://thingspace.verizon.com/api/diagnostics/v1",
        "cloud_connector": "https://thingspace.verizon.com/api/cc/v1",
        "hyper_precise_location": "https://thingspace.verizon.com/api/hyper-precise/v1",
        "hyper_precise_credentials": "https://thingspace.verizon.com/api/auth/v1",
        "quality_of_service": "https://thingspace.verizon.com/api/m2m/v1/devices",
        "edge_services": "https://5gedge.verizon.com/api/mec/services",
        "imp": "https://imp.thingspace.verizon.com",
    },
    "staging": {
        "thingspace": "https://staging.thingspace.verizon.com/api",
        "oauth": "https://staging.thingspace.verizon.com/api/ts/v1",
        "m2m": "https://staging.thingspace.verizon.com/api/m2m",
        "location": "https://staging.thingspace.verizon.com/api/loc/v1",
        "subscriptions": "https://staging.thingspace.verizon.com/api/subsc/v1",
        "software_management_v1": "https://staging.thingspace.verizon.com/api/fota/v1",
        "software_management_v2": "https://staging.thingspace.verizon.com/api/fota/v2",
        "software_management_v3": "https://staging.thingspace.verizon.com/api/fota/v3",
        "diagnostics": "https://staging.thingspace.verizon.com/api/diagnostics/v1",
        "cloud_connector": "https://staging.thingspace.verizon.com/api/cc/v1",
        "hyper_precise_location": "https://staging.thingspace.verizon.com/api/hyper-precise/v1",
        "hyper_precise_credentials": "https://staging.thingspace.verizon.com/api/auth/v1",
        "quality_of_service": "https://staging.thingspace.verizon.com/api/m2m/v1/devices",
        "edge_services": "https://staging.5gedge.verizon.com/api/mec/services",
        "imp": "https://imp-staging.thingspace.verizon.com",
    },
    "mock": {
        "thingspace": "https://mock-staging.thingspace.verizon.com/api",
        "oauth": "https://mock-staging.thingspace.verizon.com/api/ts/v1",
        "m2m": "https://mock-staging.thingspace.verizon.com/api/m2m",
        "location": "https://mock-staging.thingspace.verizon.com/api/loc/v1",
        "subscriptions": "https://mock-staging.thingspace.verizon.com/api/subsc/v1",
        "software_management_v1": "https://mock-staging.thingspace.verizon.com/api/fota/v1",
        "software_management_v2": "https://mock-staging.thingspace.verizon.com/api/fota/v2",
        "software_management_v3": "https://mock-staging.thingspace.verizon.com/api/fota/v3",
        "diagnostics": "https://mock-staging.thingspace.verizon.com/api/diagnostics/v1",
        "cloud_connector": "https://mock-staging.thingspace.verizon.com/api/cc/v1",
        "hyper_precise_location": "https://mock-staging.thingspace.verizon.com/api/hyper-precise/v1",
        "hyper_precise_credentials": "https://staging.thingspace.verizon.com/api/auth/v1",
        "quality_of_service": "https://mock-staging.thingspace.verizon.com/api/m2m/v1/devices",
        "edge_services": "https://mock-staging.thingspace.verizon.com/api/mec/services",
        "imp": "https://mock-staging.thingspace.verizon.com",
    },
}


def _environment(name: str) -> Environment:
    environment: Environment = getattr(Environment, name)
    return environment


@pytest.mark.parametrize("name", BASES)
def test_each_environment_has_the_platforms_base_for_every_server(name: str) -> None:
    environment = _environment(name)
    assert environment.name == name
    assert dict(environment.bases) == BASES[name]
    assert set(environment.bases) == set(get_args(Server)) == set(NAMES)


@pytest.mark.parametrize("name", BASES)
def test_the_bases_are_those_of_the_published_list(name: str) -> None:
    published = servers()
    column = "mock_server_for_limited_availability_see_quick_start" if name == "mock" else name
    assert {ours: published[theirs][column] for ours, theirs in NAMES.items()} == BASES[name]
    assert set(NAMES.values()) == set(published)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "must not be empty"),
        (None, "must be a str, not NoneType"),
        (5, "must be a str, not int"),
        (True, "must be a str, not bool"),
        (b"hidden", "must be a str, not bytes"),
        (["hidden"], "must be a str, not list"),
        ("hidden\ud800", "contains a character that cannot be printed, such as a line end"),
        ("hidden\r\nend", "contains a character that cannot be printed, such as a line end"),
        ("hidden\n", "contains a character that cannot be printed, such as a line end"),
        ("hidden\t", "contains a character that cannot be printed, such as a line end"),
        ("hidden\x00", "contains a character that cannot be printed, such as a line end"),
    ],
    ids=["empty", "none", "int", "bool", "bytes", "list", "surrogate", "crlf", "newline", "tab", "nul"],
)
def test_invalid_credentials_are_refused_and_named_without_showing_them(name: str, value: object, reason: str) -> None:
    wanted: dict[str, Any] = {**GOOD, name: value}
    with pytest.raises(ConfigurationError) as refused:
        Credentials(**wanted)
    text = str(refused.value)
    assert text.startswith(f"credentials: {name} {reason}")
    assert "hidden" not in text
    assert text.isprintable()


@pytest.mark.parametrize("password", [" spaces around ", "pässwörd 密码", "'\"\\{}%&"])
def test_a_password_may_hold_every_visible_character(password: str) -> None:
    assert Credentials(client_id="k", client_secret="s", username="u", password=password).password == Secret(password)


def test_a_password_chosen_by_the_platform_may_hold_any_characters() -> None:
    wanted: dict[str, Any] = dict(GOOD)
    old = Credentials(**wanted)
    new = old.with_password(Secret("odd\n"))
    assert new.password == Secret("odd\n")
    assert old.password == Secret("p-hidden")
    assert (new.client_id, new.client_secret, new.username) == (old.client_id, old.client_secret, old.username)


@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_an_empty_secret_is_refused_too(name: str) -> None:
    wanted: dict[str, Any] = {**GOOD, name: Secret("")}
    with pytest.raises(ConfigurationError, match=name):
        Credentials(**wanted)


def test_credentials_hide_their_secrets_and_accept_strings_and_secrets() -> None:
    credentials = Credentials(client_id="key", client_secret="s-hidden", username="user", password=Secret("p-hidden"))
    assert "hidden" not in f"{credentials} {credentials!r}"
    assert (credentials.client_secret.reveal(), credentials.password.reveal()) == ("s-hidden", "p-hidden")
    assert copy.copy(credentials) == copy.deepcopy(credentials) == credentials
    with pytest.raises(TypeError, match="a Secret cannot be pickled"):
        pickle.dumps(credentials)
    assert attrs.evolve(credentials, password="other").password == Secret("other")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        credentials.password = Secret("other")  # type: ignore[misc]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the four environment variables. Tests change them through the returned MonkeyPatch."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_credentials_are_read_from_the_environment_variables(variables: pytest.MonkeyPatch) -> None:
    wanted: dict[str, Any] = dict(GOOD)
    assert Credentials.from_environment() == Credentials(**wanted)


@pytest.mark.parametrize(
    "missing", [names for count in range(1, 5) for names in itertools.combinations(VARIABLES, count)], ids=len
)
@pytest.mark.parametrize("blank", [True, False])
def test_all_missing_variables_are_named_at_once(
    variables: pytest.MonkeyPatch, missing: tuple[str, ...], *, blank: bool
) -> None:
    for name in missing:
        if blank:
            variables.setenv(name, "")
        else:
            variables.delenv(name)
    with pytest.raises(ConfigurationError) as refused:
        Credentials.from_environment()
    assert str(refused.value) == f"set the environment variable{'s' * (len(missing) > 1)} {', '.join(missing)}"


def _locals(trace: TracebackType | None) -> list[str]:
    shown = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
            shown.append(repr(trace.tb_frame.f_locals))
        trace = trace.tb_next
    return shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THINGSPACE_USERNAME", ""),
        ("THINGSPACE_PASSWORD", "p-hidden\n"),
        ("THINGSPACE_PASSWORD", "p-hidden\udcff"),
        ("THINGSPACE_CLIENT_SECRET", "s-hidden\udcff"),
    ],
)
def test_no_frame_of_ours_shows_a_secret_when_credentials_are_refused(
    variables: pytest.MonkeyPatch, name: str, value: str
) -> None:
    variables.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        Credentials.from_environment()
    frames = _locals(refused.value.__traceback__)
    assert frames
    assert "hidden" not in "".join(frames)


@pytest.mark.parametrize(
    "url",
    ["https://cloud.example", "https://cloud.example/", "https://cloud.example:8443", "https://cloud.example/gateway/"],
)
def test_environment_at_has_every_server_below_its_url(url: str) -> None:
    environment = Environment.at(url)
    base = url.rstrip("/")
    assert environment.name == base
    assert environment.bases["m2m"] == f"{base}/api/m2m"
    assert environment.bases["oauth"] == f"{base}/api/ts/v1"
    assert environment.bases["imp"] == base
    assert all(found.startswith(base) for found in environment.bases.values())
    assert set(environment.bases) == set(get_args(Server))
    assert not environment.is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9001",
        "http://127.8.9.1",
        "http://localhost:9001",
        "http://LOCALHOST",
        "http://[::1]:9001",
        "https://localhost",
    ],
)
def test_this_machine_may_be_reached_over_plain_http(url: str) -> None:
    environment = Environment.at(url)
    assert environment.is_loopback
    assert environment.bases["m2m"] == f"{url}/api/m2m"


@pytest.mark.parametrize(
    "url",
    [
        "http://thingspace.verizon.com",
        "http://10.0.0.1",
        "http://0.0.0.0:9001",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://localhostx",
        "http://2130706433",
        "http://[::]:80",
    ],
)
def test_plain_http_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http would send tokens in the clear to .*: use https"):
        Environment.at(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user@cloud.example",
        "https://user:password@cloud.example",
        "https://@cloud.example",
        "http://localhost@evil.example",
        "https://cloud.example?next=1",
        "https://cloud.example/api#part",
    ],
)
def test_a_base_url_with_a_user_a_query_or_a_fragment_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must not have a user, query or fragment") as refused:
        Environment.at(url)
    assert "password" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must look like https://host"),
        ("cloud.example", "must look like https://host"),
        ("https://", "must look like https://host"),
        ("https:///api", "must look like https://host"),
        ("ftp://cloud.example", "must look like https://host"),
        ("file:///etc/hosts", "must look like https://host"),
        ("https://cloud.example:port", "cannot be read"),
        ("https://cloud.example:99999", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://cloud.example\r\nX: y", "control characters"),
        ("https://cloud.example\n", "control characters"),
        (None, "must be a string"),
        (b"https://cloud.example", "must be a string"),
    ],
)
def test_an_invalid_base_url_is_refused_with_the_reason(url: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^environment: ") as refused:
        Environment.at(url)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()


@given(st.text())
def test_no_string_makes_a_base_url_that_would_send_tokens_unencrypted(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}"):
        try:
            environment = Environment.at(url)
        except ConfigurationError:
            continue
        assert environment.is_loopback or environment.name.casefold().startswith("https://")


def test_the_host_of_logins_includes_the_port() -> None:
    assert Environment.production.host == "thingspace.verizon.com"
    assert Environment.at("http://127.0.0.1:9001").host == "127.0.0.1:9001"
    assert not Environment.production.is_loopback


def test_environments_at_the_same_url_are_equal_and_cannot_be_changed() -> None:
    one, other = Environment.at("https://cloud.example"), Environment.at("https://cloud.example/")
    assert one == other
    assert hash(one) == hash(other)
    assert one != Environment.production
    with pytest.raises(TypeError):
        one.bases["m2m"] = "https://evil.example"  # type: ignore[index]
    assert "api/m2m" not in repr(one)


@pytest.mark.parametrize("url", ["https://h.example?", "https://h.example#", " https://h.example", "https://h example"])
def test_a_base_url_that_would_swallow_the_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Environment.at(url)


def test_environments_can_be_pickled_and_copied() -> None:
    for known in (Environment.production, Environment.mock, Environment.at("http://127.0.0.1:1")):
        for twin in (pickle.loads(pickle.dumps(known)), copy.copy(known), copy.deepcopy(known)):
            assert twin == known
            assert (twin.name, dict(twin.bases)) == (known.name, dict(known.bases))


@pytest.mark.parametrize(
    "url", ["https://cloud.example/api", "https://cloud.example/api/", "https://h.example/gate/api"]
)
def test_a_base_url_that_already_ends_in_api_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="leave /api out of the base URL"):
        Environment.at(url)


@pytest.mark.parametrize("url", ["https://api", "https://api.example", "https://cloud.example/myapi"])
def test_a_base_url_with_api_in_another_segment_is_accepted(url: str) -> None:
    assert Environment.at(url).bases["m2m"] == f"{url}/api/m2m"


@pytest.mark.parametrize("server", get_args(Server))
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://cloud.example/x", "http would send tokens in the clear to cloud.example: use https"),
        ("https://user:hidden@cloud.example", "the base URL of {server} must not have a user, query or fragment"),
        ("https://cloud.example?next=1", "the base URL of {server} must not have a user, query or fragment"),
        ("cloud.example", "the base URL of {server} must look like https://host"),
        (None, "the base URL of {server} must be a string"),
    ],
)
def test_every_base_of_an_environment_made_by_hand_is_checked(server: Server, url: Any, reason: str) -> None:
    bases = {**Environment.production.bases, server: url}
    with pytest.raises(ConfigurationError) as refused:
        Environment("mine", bases)
    assert reason.format(server=server) in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_an_environment_made_by_hand_has_every_server_and_no_other() -> None:
    bases: dict[Any, str] = dict(Environment.production.bases)
    del bases["oauth"], bases["imp"]
    with pytest.raises(ConfigurationError, match="missing or unknown: imp, oauth"):
        Environment("mine", bases)
    bases |= {
        "oauth": "https://a.example",
        "imp": "https://b.example",
        "m2n": "https://c.example",
        5: "https://d.example",
    }
    with pytest.raises(ConfigurationError, match="missing or unknown: 5, m2n"):
        Environment("mine", bases)


@pytest.mark.parametrize(
    ("name", "bases", "reason"),
    [
        ("", Environment.production.bases, "name must not be empty"),
        (None, Environment.production.bases, "name must be a str"),
        ("two\nlines", Environment.production.bases, "name contains a character that cannot be printed"),
        ("mine", "https://cloud.example", "bases must be a mapping, not str"),
        ("mine", None, "bases must be a mapping, not NoneType"),
    ],
)
def test_an_environment_of_other_types_is_refused(name: Any, bases: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Environment(name, bases)


def test_an_environment_keeps_the_bases_that_were_checked() -> None:
    bases = dict(Environment.at("https://cloud.example").bases)
    mine = Environment("mine", bases)
    bases["m2m"] = "http://evil.example"
    assert mine.bases["m2m"] == "https://cloud.example/api/m2m"
    with pytest.raises(TypeError):
        mine.bases["m2m"] = "http://evil.example"  # type: ignore[index]


def test_a_trailing_slash_of_a_base_is_removed() -> None:
    bases = {server: f"{base}/" for server, base in Environment.production.bases.items()}
    assert Environment("production", bases) == Environment.production


def test_an_environment_is_this_machine_only_if_all_its_servers_are() -> None:
    bases = dict(Environment.at("http://127.0.0.1:1").bases)
    assert Environment("here", bases).is_loopback
    bases["oauth"] = "https://cloud.example"
    assert not Environment("elsewhere", bases).is_loopback
