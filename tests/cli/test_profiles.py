"""Profiles: which login a command uses, and where the secrets come from."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import keyrings
from tests.cli.commands import run
from tests.cli.test_cli import finish, start
from tests.surface.rooms import PACKAGE
from thingspace_async import Credentials
from thingspace_async._cli import _config
from thingspace_async._cli._access import Access
from thingspace_async._cli._config import Profile, read_config
from thingspace_async._core.environment import VARIABLES
from thingspace_async.errors import ConfigurationError, InvalidRequest
from thingspace_async.simulator import Simulator

LIST = ("devices", "list", "--limit", "1")
LOGIN = 'environment = "mock"\nclient_id = "i"\nusername = "u"\n'
SECRET = "hunter2-quoted-nowhere"


def profile(cloud: Simulator, name: str, *more: str) -> str:
    known = cloud.credentials
    lines = {"environment": cloud.url, "client_id": known.client_id, "username": known.username}
    return "\n".join([f"[profiles.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in lines.items()), *more])


def secrets(cloud: Simulator, name: str) -> dict[str, str]:
    """Return the variables with the secrets of a profile."""
    known = cloud.credentials
    return {
        f"THINGSPACE_CLIENT_SECRET_{name.upper()}": known.client_secret.reveal(),
        f"THINGSPACE_PASSWORD_{name.upper()}": known.password.reveal(),
    }


def write(file: Path, *lines: str) -> None:
    file.write_text("\n".join(lines))


def quoting(*words: str) -> str:
    """Return the TOML string of a command."""
    return json.dumps(shlex.join(words))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a config file that this process uses, too."""
    for name in [name for name in os.environ if name.startswith("THINGSPACE_") and "TESTS" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THINGSPACE_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


# Which login


@pytest.fixture
async def clouds() -> AsyncIterator[dict[str, Simulator]]:
    """Start three platforms, each with a login of its own."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in ("exported", "first", "second"):
            cloud = found[name] = await stack.enter_async_context(Simulator(devices=2))
            cloud.credentials = Credentials(
                client_id=f"id of {name}", client_secret=f"key of {name}", username=name, password=f"word of {name}"
            )
        yield found


class Login(NamedTuple):
    """What a user sets."""

    options: tuple[str, ...]
    exported: tuple[str, ...]
    named: str | None
    """THINGSPACE_PROFILE."""
    default: str | None
    """The default profile."""


EXPORTS = ("THINGSPACE_ENVIRONMENT", *VARIABLES)
REFUSED_TWICE = "THINGSPACE_PROFILE names a login, and THINGSPACE_"

USED = [
    (Login((), (), None, "first"), "first"),
    (Login((), EXPORTS, None, "first"), "exported"),
    (Login((), EXPORTS, None, None), "exported"),
    (Login((), (), "second", "first"), "second"),
    (Login(("--profile", "second"), (), None, "first"), "second"),
    (Login(("--profile", "second"), EXPORTS, None, "first"), "second"),
    (Login(("--profile", "second"), ("THINGSPACE_ENVIRONMENT",), None, None), "second"),
    (Login(("--profile", "second"), VARIABLES, None, None), "second"),
    (Login(("--profile", "second"), EXPORTS, "first", None), "second"),
    (Login(("--profile", "second", "--environment", "second"), EXPORTS, None, "first"), "second"),
    (Login(("--environment", "first"), (), None, "first"), "first"),
    (Login(("--environment", "second"), (), "second", "first"), "second"),
    (Login(("--environment", "exported"), VARIABLES, None, "first"), "exported"),
    (Login(("--environment", "exported"), EXPORTS, None, "first"), "exported"),
]

REFUSED = [
    (Login((), EXPORTS, "second", "first"), REFUSED_TWICE),
    (Login((), EXPORTS[:1], "second", None), REFUSED_TWICE),
    (Login((), VARIABLES, "second", None), "THINGSPACE_PROFILE names a login, and THINGSPACE_CLIENT_ID"),
    (
        Login(("--environment", "second"), VARIABLES[3:], "second", None),
        "and THINGSPACE_PASSWORD another one: unset either",
    ),
    (
        Login(("--profile", "first", "--environment", "exported"), EXPORTS, None, None),
        "the credentials of the profile first",
    ),
    (Login(("--profile", "first", "--environment", "second"), (), None, "first"), "leave --environment out"),
    (Login(("--environment", "second"), (), None, "first"), "the credentials of the profile first are for http://"),
    (Login(("--environment", "production"), (), None, "first"), "not for production: leave --environment out"),
    (Login(("--environment", "first"), (), "second", "first"), "the credentials of the profile second"),
    (
        Login((), EXPORTS[:1], None, "first"),
        "or unset THINGSPACE_ENVIRONMENT, so that the default profile first is used",
    ),
    (
        Login((), VARIABLES[3:], None, "first"),
        "set the environment variables THINGSPACE_CLIENT_ID, THINGSPACE_CLIENT_SECRET",
    ),
    (Login((), EXPORTS[:1], None, None), "THINGSPACE_USERNAME, THINGSPACE_PASSWORD\n"),
    (Login((), (), None, None), "THINGSPACE_USERNAME, THINGSPACE_PASSWORD\n"),
    (Login(("--profile", ""), (), None, "first"), "has no profile '': choose from first, second"),
    (Login(("--profile", "third"), EXPORTS, None, "first"), "has no profile 'third': choose from first, second"),
]


async def listed(clouds: dict[str, Simulator], file: Path, login: Login) -> tuple[int, str, str]:
    """List a device. The name of a platform after `--environment` means its URL."""
    first = [f'default = "{login.default}"'] if login.default else []
    write(file, *first, *(profile(clouds[name], name) for name in ("first", "second")))
    words = list(login.options)
    if "--environment" in words and words[-1] in clouds:
        words[-1] = clouds[words[-1]].url
    variables = {name: value for name, value in clouds["exported"].exports().items() if name in login.exported}
    if login.named:
        variables["THINGSPACE_PROFILE"] = login.named
    for name in ("first", "second"):
        variables |= secrets(clouds[name], name)
    return await run(*LIST, *words, THINGSPACE_CONFIG=str(file), **variables)


@pytest.mark.processes
@pytest.mark.parametrize(("login", "used"), USED)
async def test_one_login_supplies_the_credentials_and_the_environment(
    clouds: dict[str, Simulator], file: Path, login: Login, used: str
) -> None:
    status, _, complaints = await listed(clouds, file, login)
    assert (status, complaints) == (0, "")
    assert [name for name, cloud in clouds.items() if cloud.requests] == [used]


@pytest.mark.processes
@pytest.mark.parametrize(("login", "complaint"), REFUSED)
async def test_two_logins_are_never_mixed_and_nothing_is_sent(
    clouds: dict[str, Simulator], file: Path, login: Login, complaint: str
) -> None:
    status, printed, complaints = await listed(clouds, file, login)
    is_usage = "the credentials of the profile" in complaints or "has no profile" in complaints
    assert (status, printed, complaints.count("\n")) == (2 if is_usage else 1, "", 1)
    assert complaint in complaints
    assert not any(cloud.requests for cloud in clouds.values())


@pytest.mark.processes
async def test_a_secret_of_the_variables_is_never_used_for_a_profile(clouds: dict[str, Simulator], file: Path) -> None:
    write(file, profile(clouds["first"], "first"))
    variables = {**clouds["exported"].exports(), "THINGSPACE_CONFIG": str(file)}
    status, _, complaints = await run(*LIST, "--profile", "first", **variables)
    assert (status, complaints.count("\n")) == (1, 1)
    assert "the profile first has no client_secret: set THINGSPACE_CLIENT_SECRET_FIRST, or add keyring" in complaints
    assert not clouds["first"].requests


@pytest.mark.parametrize(
    ("access", "default", "exported", "account"),
    [
        (Access(account="A", profile="lab"), "", "B", "A"),
        (Access(profile="lab"), "", "B", "of-lab"),
        (Access(profile="bare"), "", "B", "B"),
        (Access(profile="bare"), "lab", "", None),
        (Access(), "lab", "B", "B"),
        (Access(), "lab", "", "of-lab"),
        (Access(), "", "B", "B"),
        (Access(), "", "", None),
    ],
)
def test_the_account_is_the_nearest_one(
    file: Path, access: Access, default: str, exported: str, account: str | None
) -> None:
    first = f'default = "{default}"' if default else ""
    write(file, first, "[profiles.lab]", LOGIN, 'account = "of-lab"', "[profiles.bare]", LOGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THINGSPACE_ACCOUNT", exported)
        assert access.optional_account == account


def test_the_account_of_the_default_profile_is_not_used_for_exported_credentials(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        'default = "lab"\n[profiles.lab]\nenvironment = "mock"\nclient_id = "i"\nusername = "u"\naccount = "a"'
    )
    monkeypatch.setenv("THINGSPACE_USERNAME", "somebody")
    assert Access().optional_account is None
    with pytest.raises(ConfigurationError, match="name an account"):
        _ = Access().required_account
    with pytest.raises(InvalidRequest, match="--account is empty"):
        _ = Access(account=" ").optional_account


@pytest.mark.processes
async def test_a_file_that_changes_after_the_question_does_not_change_the_login(
    clouds: dict[str, Simulator], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = clouds["first"], clouds["second"]
    for name, value in secrets(first, "lab").items():
        monkeypatch.setenv(name, value)
    write(file, profile(first, "lab"))
    access = Access(profile="lab")
    assert access.place.name == first.url
    write(file, profile(second, "lab"))
    async with access.session():
        pass
    assert (first.count("session.log_in"), len(second.requests)) == (1, 0)


# Every command


OF_COMMANDS = {
    "demo": ("demo", "--live"),
    "firmware": ("firmware", "campaigns"),
    "fleet": ("fleet", "suspend", "--from", "devices.csv", "--dry-run"),
    "locate": ("locate", "--cached", "--csv", "found.csv"),
    "stream": ("stream", "--stop"),
    "v2x": (
        *("v2x", "enrol", "--vendor", "v", "--device-id", "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"),
        *("--at", "33.45,-84.55", "--folder", "certificates", "--dry-run"),
    ),
}


@pytest.mark.processes
@pytest.mark.parametrize("words", OF_COMMANDS.values(), ids=OF_COMMANDS)
async def test_every_command_uses_the_login_and_the_account_of_a_profile(
    clouds: dict[str, Simulator], file: Path, words: tuple[str, ...]
) -> None:
    account = clouds["first"].account_name
    write(file, 'default = "second"', profile(clouds["first"], "first", f'account = "{account}"'))
    with file.open("a") as more:
        more.write("\n" + profile(clouds["second"], "second", 'account = "0000999999-00001"'))
    (file.parent / "devices.csv").write_text("imei\n990013907835573\n")
    variables = {**secrets(clouds["first"], "first"), "PWD": str(file.parent), "THINGSPACE_CONFIG": str(file)}
    status, _, complaints = await run(*words, "--profile", "first", **variables)
    used = [name for name, cloud in clouds.items() if cloud.requests]
    assert used == ["first"], complaints
    assert complaints.startswith("thingspace: the account streams no events") if "--stop" in words else status == 0
    status, _, complaints = await run(*words, "--profile", "first", "--environment", "production", **variables)
    assert (status, complaints.count("\n")) == (2, 1)
    assert "the credentials of the profile first are for" in complaints


# The file


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[profiles.lab", "config.toml is not TOML: "),
        ("\udcff", "config.toml is not UTF-8"),
        (f"[profiles.lab]\n{LOGIN}colour = 1\nmood = 2", "profile lab: unknown 'colour', 'mood': use environment, "),
        ("defualt = 'lab'", "the file: unknown 'defualt': use default, profiles"),
        ("[profiles.lab]\nenvironment = 'mock'", "profile lab: client_id, username missing"),
        (f"[profiles.lab]\n{LOGIN}account = 5", "profile lab: account must be a str, not int"),
        (f"[profiles.lab]\n{LOGIN}account = ''", "profile lab: account must not be empty"),
        (f"[profiles.lab]\n{LOGIN}keyring = 'yes'", "profile lab: keyring must be true or false"),
        (f"[profiles.Lab-1]\n{LOGIN}", "profile 'Lab-1': begin its name with a letter, and use only a to z"),
        ("profiles = 1", "profiles must be tables"),
        ("profiles.lab = 1", r"profile lab: write its keys below \[profiles.lab\]"),
        (f"default = 'field'\n[profiles.lab]\n{LOGIN}", "default must be the name of a profile in this file"),
        (f"default = ['lab']\n[profiles.lab]\n{LOGIN}", "default must be the name of a profile in this file"),
    ],
)
def test_a_fault_in_the_file_is_named(file: Path, text: str, complaint: str) -> None:
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        read_config()
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("key", ["password", "client_secret", "Password", "client-secret"])
@pytest.mark.parametrize("table", ["", f"[profiles.lab]\n{LOGIN}"])
def test_a_secret_in_the_file_is_refused_with_the_places_for_it_and_never_shown(
    file: Path, key: str, table: str
) -> None:
    file.write_text(f'{table}{key} = "{SECRET}"\n')
    kind, name = key.casefold().replace("-", "_"), "lab" if table else "NAME"
    with pytest.raises(ConfigurationError, match=f"{key} must not be in this file") as refused:
        read_config()
    text = str(refused.value)
    assert f"THINGSPACE_{kind}_{name}".upper() in text
    assert f"`keyring set thingspace-{name} {kind}`" in text
    assert f"{kind}_command" in text
    assert SECRET not in text


def test_a_file_that_a_windows_editor_saved_is_read(file: Path) -> None:
    file.write_bytes(f"\ufeff[profiles.lab]\n{LOGIN}".replace("\n", "\r\n").encode())
    assert read_config().named("lab").environment == "mock"


def test_only_a_file_that_a_variable_names_must_exist(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"THINGSPACE_CONFIG names .*, which does not exist"):
        read_config()
    file.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read: "):
        read_config()
    monkeypatch.delenv("THINGSPACE_CONFIG")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert read_config().default is None
    with pytest.raises(
        ConfigurationError, match=r"no profile 'lab': .*config\.toml does not exist, or has no profiles"
    ):
        read_config().named("lab")
    usual = read_config().path
    assert usual.is_relative_to(tmp_path)
    usual.parent.mkdir(parents=True)
    usual.write_text(f"[profiles.lab]\n{LOGIN}")
    assert read_config().named("lab").username == "u"


def test_the_file_is_not_read_if_the_variables_have_a_login(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("broken")
    for name in VARIABLES:
        monkeypatch.setenv(name, "x")
    assert Access().place.name == "production"
    assert Access().session().credentials.username == "x"


# The secrets


@pytest.mark.processes
async def test_commands_print_the_secrets(file: Path) -> None:
    async with Simulator(devices=1) as cloud:
        known = cloud.credentials
        keys = [
            f"client_secret_command = {quoting('echo', known.client_secret.reveal())}",
            "password_command = " + quoting("printf", r"%s\n\n", known.password.reveal()),
        ]
        write(file, 'default = "lab"', profile(cloud, "lab", *keys))
        status, _, complaints = await run(*LIST, THINGSPACE_CONFIG=str(file))
        assert (status, complaints) == (0, "")
        assert cloud.count("session.log_in") == 1


@pytest.mark.processes
async def test_the_keyring_has_the_secrets(file: Path) -> None:
    async with Simulator(devices=1) as cloud:
        known = cloud.credentials
        stored = {
            "thingspace-lab client_secret": known.client_secret.reveal(),
            "thingspace-lab password": known.password.reveal(),
        }
        variables = {"THINGSPACE_CONFIG": str(file), "PYTHON_KEYRING_BACKEND": keyrings.BACKEND}
        write(file, 'default = "lab"', profile(cloud, "lab", "keyring = true"))
        status, _, complaints = await run(*LIST, **variables, **{keyrings.SECRETS: json.dumps(stored)})
        assert (status, complaints) == (0, "")
        assert cloud.count("session.log_in") == 1
        del stored["thingspace-lab password"]
        status, _, complaints = await run(*LIST, **variables, **{keyrings.SECRETS: json.dumps(stored)})
        assert (status, complaints) == (
            1,
            "thingspace: the keyring has no password: store it with `keyring set thingspace-lab password`\n",
        )
        status, _, complaints = await run(*LIST, **variables, **{keyrings.SECRETS: SECRET})
        assert (status, complaints.count("\n")) == (1, 1)
        assert "cannot be read (JSONDecodeError): try `keyring get thingspace-lab client_secret`" in complaints
        assert cloud.count("session.log_in") == 1


def with_command(command: str) -> Profile:
    return Profile(
        name="lab",
        environment="mock",
        client_id="i",
        username="u",
        client_secret_command="echo key",
        password_command=command,
    )


async def test_the_keyring_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    one = Profile(name="lab", environment="mock", client_id="i", username="u", keyring=True)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'thingspace_async[keyring]'")):
        await one.credentials()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (
            f"sh -c 'echo {SECRET}; echo {SECRET} >&2; exit 3'",
            "password_command of the profile lab failed with status 3",
        ),
        (f"/nowhere/{SECRET}", "password_command of the profile lab cannot be started: No such file or directory"),
        (f"sh -c 'echo {SECRET}", "password_command of the profile lab cannot be split into words: check its quotes"),
        (" ", "password_command of the profile lab cannot be split into words"),
        ("true", "password_command of the profile lab has printed nothing"),
        ("printf '\\377'", "password_command of the profile lab has not printed UTF-8"),
        (f"printf '{SECRET}\\nsecond line'", "credentials: password contains a character that cannot be printed"),
    ],
)
async def test_a_command_that_fails_is_one_line_that_shows_no_output(
    capfd: pytest.CaptureFixture[str], command: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(complaint)) as refused:
        await with_command(command).credentials()
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value) + repr(with_command(command))
    assert capfd.readouterr() == ("", "")


async def test_a_command_is_not_given_to_a_shell(tmp_path: Path) -> None:
    known = await with_command(f"echo $HOME; touch {tmp_path}/made").credentials()
    assert known.password.reveal() == f"$HOME; touch {tmp_path}/made"
    assert not (tmp_path / "made").exists()


async def test_a_command_that_hangs_ends_even_if_another_process_keeps_its_output_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "_WITHIN", 0.3)
    number = tmp_path / "number"
    slow = shlex.join(["sh", "-c", f"sleep 60 & echo $! > {number}; wait"])
    try:
        with pytest.raises(
            ConfigurationError, match=r"password_command of the profile lab has not ended within 0\.3 s"
        ):
            await asyncio.wait_for(with_command(slow).credentials(), 30)
    finally:
        os.kill(int(number.read_text()), signal.SIGKILL)


@pytest.mark.processes
async def test_a_signal_ends_a_command_that_waits_for_a_secret(file: Path, tmp_path: Path) -> None:
    number = tmp_path / "number"
    slow = quoting("sh", "-c", f"echo $$ > {number}.part; mv {number}.part {number}; exec sleep 60")
    write(file, "[profiles.lab]", LOGIN, f"client_secret_command = {slow}")
    process = await start(*LIST, "--profile", "lab", THINGSPACE_CONFIG=str(file))
    while not number.exists():
        assert process.returncode is None
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert await finish(process) == (128 + signal.SIGTERM, "", "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


# The page


@pytest.mark.processes
async def test_the_file_on_the_page_works(file: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (PACKAGE / "_cli" / "README.md").read_text(), re.DOTALL)
    write(file, text)
    config = read_config()
    assert config.default is not None
    async with Simulator(devices=1) as cloud:
        known = cloud.credentials
        lab = config.named("lab")
        cloud.credentials = Credentials(
            client_id=lab.client_id, client_secret=known.client_secret, username=lab.username, password=known.password
        )
        write(file, text.replace(lab.environment, cloud.url))
        status, _, complaints = await run(
            *LIST, "--profile", "lab", THINGSPACE_CONFIG=str(file), **secrets(cloud, "lab")
        )
        assert (status, complaints) == (0, "")
