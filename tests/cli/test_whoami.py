"""`thingspace whoami` and `accounts`: which login commands use, and how near it is to a lock-out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.commands import run, run_inside, run_on
from tests.cli.place import terminal
from thingspace_async import Secret
from thingspace_async.simulator import Simulator

pytestmark = pytest.mark.processes

ACCOUNT = "0000123456-00001"
OTHER = "0000999999-00001"
WRONG = "hush-wrong"


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=5) as cloud:
        cloud.clock.speed = 0
        yield cloud


class User:
    """A user whose guard has a file, as it has for the real platform."""

    def __init__(self, cloud: Simulator, folder: Path) -> None:
        self.cloud = cloud
        self.file = folder / "guard.json"
        self.variables = {**cloud.exports(), "THINGSPACE_GUARD_FILE": str(self.file), "THINGSPACE_CONFIG": ""}

    async def look(self, *words: str, password: str | None = None) -> tuple[int, dict[str, object], str]:
        """Run `whoami`; return its status, what it printed, and its complaints."""
        changed = {} if password is None else {"THINGSPACE_PASSWORD": password}
        status, printed, complaints = await run("whoami", "--json", *words, **{**self.variables, **changed})
        secrets = (self.cloud.credentials.client_secret.reveal(), password or self.cloud.credentials.password.reveal())
        assert not any(secret in printed + complaints for secret in secrets)
        assert complaints.count("\n") == (1 if status else 0)
        return status, json.loads(printed), complaints

    @property
    def logins(self) -> int:
        return self.cloud.count("session.log_in")


@pytest.fixture
def user(cloud: Simulator, tmp_path: Path) -> User:
    return User(cloud, tmp_path)


# The guard


async def test_a_refused_password_is_held_back_and_what_is_known_is_printed(user: User) -> None:
    for words, logins in ((), 1), ((), 1), (("--offline",), 1):
        status, known, complaints = await user.look(*words, password=WRONG)
        assert (status, known["password"], known["refusalsLeft"], user.logins) == (1, "held back", 2, logins)
        assert (known["username"], known["accounts"]) == (user.cloud.credentials.username, [])
    assert "not sent again" in complaints


async def test_no_password_is_sent_after_three_refusals_and_the_right_one_is_never_locked_out(user: User) -> None:
    for number in range(3):
        _, known, _ = await user.look(password=f"{WRONG} {number}")
        assert known["refusalsLeft"] == 2 - number
    status, known, complaints = await user.look("--offline")
    assert (status, known["password"], known["refusalsLeft"]) == (1, "held back", 0)
    assert "no password is sent" in complaints
    assert (await user.look())[0] == 1
    assert user.logins == 3


async def test_a_password_that_is_held_back_is_sent_on_request_after_a_question(user: User) -> None:
    """For example, because Verizon has changed the password of the user in the meantime."""
    right = user.cloud.credentials
    user.cloud.credentials = right.with_password(Secret("another one"))
    status, known, complaints = await user.look()
    assert (status, known["password"], user.logins) == (1, "held back", 1)
    assert "thingspace whoami --force-login" in (await user.look())[2]
    status, printed, complaints = await run("whoami", "--json", "--force-login", **user.variables)
    assert (status, printed, user.logins, complaints.count("\n")) == (1, "", 1, 1)
    assert "is held back" in complaints
    assert "Pass --yes to confirm without a terminal" in complaints
    with terminal("n\n") as name:
        status, printed, complaints = await run_on(name, "whoami", "--force-login", **user.variables)
    assert (status, printed, user.logins) == (1, "", 1)
    user.cloud.credentials = right
    status, known, _ = await user.look("--force-login", "--yes")
    assert (status, known["password"], known["refusalsLeft"], user.logins) == (0, "accepted", 3, 2)
    assert user.cloud.count("session.log_out") == 1
    assert (await user.look())[0] == 0


async def test_a_forced_login_that_is_refused_is_counted(user: User) -> None:
    await user.look(password=WRONG)
    status, known, _ = await user.look("--force-login", "--yes", password=WRONG)
    assert (status, known["password"], known["refusalsLeft"], user.logins) == (1, "held back", 1, 2)


async def test_no_question_is_asked_about_a_password_that_is_not_held_back(user: User) -> None:
    assert (await user.look("--force-login"))[0] == 0
    status, _, complaints = await run("whoami", "--force-login", "--offline", **user.variables)
    assert (status, complaints.count("\n")) == (2, 1)


async def test_offline_sends_nothing_and_leaves_no_file(user: User) -> None:
    status, known, _ = await user.look("--offline")
    assert (status, known["password"], known["refusalsLeft"]) == (0, "not tried yet", 3)
    assert (known["accounts"], known["oauthTokenSeconds"]) == ([], None)
    assert not user.cloud.requests
    assert list(user.file.parent.iterdir()) == []


async def test_an_accepted_password_ends_the_count(user: User) -> None:
    await user.look(password=WRONG)
    status, known, _ = await user.look()
    assert (status, known["password"], known["refusalsLeft"]) == (0, "accepted", 3)
    assert known["guardFile"] == str(user.file)
    _, known, _ = await user.look("--offline")
    assert known["password"] == "accepted"


async def test_an_unreachable_platform_is_one_line_after_what_is_known(user: User) -> None:
    user.variables["THINGSPACE_ENVIRONMENT"] = "http://127.0.0.1:1"
    status, known, _ = await user.look()
    assert (status, known["password"], known["refusalsLeft"]) == (1, "not tried yet", 3)


# The login


async def test_the_login_is_shown_with_its_accounts_and_the_command_logs_out(user: User) -> None:
    user.cloud.add_account(OTHER, devices=2)
    status, known, _ = await user.look()
    assert (status, known["login"]) == (0, "environment variables")
    assert (known["environment"], known["username"]) == (user.cloud.url, user.cloud.credentials.username)
    assert (known["account"], known["accounts"], known["hasMoreAccounts"]) == (None, [ACCOUNT, OTHER], False)
    assert isinstance(known["oauthTokenSeconds"], int)
    assert 0 < known["oauthTokenSeconds"] <= 3600
    assert user.cloud.count("session.log_out") == 1


async def test_more_accounts_than_the_first_devices_have_are_not_denied(user: User) -> None:
    user.cloud.add_devices(600)
    user.cloud.add_account(OTHER, devices=1)
    _, known, _ = await user.look()
    assert (known["accounts"], known["hasMoreAccounts"]) == ([ACCOUNT], True)
    _, printed, _ = await run("whoami", **user.variables)
    assert f"{ACCOUNT}, and perhaps others" in printed


async def test_the_account_of_the_commands_is_checked(user: User) -> None:
    status, known, _ = await user.look("--account", ACCOUNT)
    assert (status, known["account"], known["accounts"]) == (0, ACCOUNT, [ACCOUNT])
    status, known, complaints = await user.look("--account", OTHER)
    assert (status, known["account"], known["accounts"]) == (1, OTHER, [])
    assert "AccountNotFound" in complaints


async def test_a_table_has_a_line_for_each_thing(user: User) -> None:
    status, printed, _ = await run("whoami", **user.variables)
    assert status == 0
    known = dict(line.split("  ", 1) for line in printed.splitlines())
    assert known["OAuth token"].strip().startswith("valid for ")
    assert known["refusals left"].strip() == "3"


async def test_the_profile_of_the_login_is_named(user: User, tmp_path: Path) -> None:
    known = user.cloud.credentials
    (tmp_path / "config.toml").write_text(
        f'default = "lab"\n[profiles.lab]\nenvironment = "{user.cloud.url}"\n'
        f'client_id = "{known.client_id}"\nusername = "{known.username}"\n'
    )
    user.variables = {
        "THINGSPACE_CONFIG": str(tmp_path / "config.toml"),
        "THINGSPACE_GUARD_FILE": str(user.file),
        "THINGSPACE_CLIENT_SECRET_LAB": known.client_secret.reveal(),
        "THINGSPACE_PASSWORD_LAB": known.password.reveal(),
    }
    status, printed, _ = await user.look()
    assert (status, printed["login"]) == (0, "profile lab")


def test_missing_credentials_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("THINGSPACE_CONFIG", str(tmp_path / "config.toml"))
    status, printed, complaints = run_inside(capsys, "whoami", "--offline")
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert "THINGSPACE_CLIENT_ID" in complaints


# All accounts


async def test_all_accounts_are_listed_with_their_devices_whatever_account_is_set(cloud: Simulator) -> None:
    cloud.add_account(OTHER, devices=2)
    words = ("accounts", "--format", "csv")
    status, printed, complaints = await run(*words, THINGSPACE_ACCOUNT=OTHER, **cloud.exports())
    assert (status, complaints) == (0, "")
    rows = [{"account": ACCOUNT, "devices": "5"}, {"account": OTHER, "devices": "2"}]
    assert list(csv.DictReader(io.StringIO(printed))) == rows
    status, printed, _ = await run(*words, "--account", OTHER, **cloud.exports())
    assert list(csv.DictReader(io.StringIO(printed))) == rows[1:]


async def test_an_account_that_does_not_exist_is_one_line(cloud: Simulator) -> None:
    status, printed, complaints = await run("accounts", "--account", OTHER, **cloud.exports())
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
