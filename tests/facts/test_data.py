"""The facts are complete: each name leads to a model or an enum, and each sample to an operation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.facts import __main__ as command
from tests.facts import _read, enums, examples, models, operations, sdk_methods, servers

PLAIN = {"str", "int", "float", "bool", "date", "datetime", "uuid", "file", "any", "none", "form", "multipart"}
BUILT = {"list", "dict", "union", "enum"}


def _types() -> Iterator[tuple[str, str]]:
    """Yield each type with the place that has it."""
    for operation in operations():
        yield operation.name, operation.answer
        if operation.body is not None:
            yield operation.name, operation.body.type
        for value in (*operation.query.values(), *operation.headers.values(), *operation.parts.values()):
            yield operation.name, value.type
    for name, members in models().items():
        for member, value in members.items():
            yield f"{name}.{member}", value.type
    yield from _read("unions").items()


def test_every_type_is_plain_or_a_model_or_an_enum() -> None:
    known = PLAIN | BUILT | set(models()) | set(enums())
    assert [(place, kind) for place, kind in _types() if not known.issuperset(re.findall(r"\w+", kind))] == []


def test_all_published_operations_are_there_and_their_servers_are_known() -> None:
    published = {entry["name"] for entry in _read("operations")}
    documented = {entry["name"] for entry in _read("page_operations")}
    assert len(published) == len(_read("operations")) == 316
    assert {operation.name for operation in operations()} == published | documented
    assert {operation.server for operation in operations()} <= set(servers())


def test_each_method_of_the_sdk_is_a_published_operation() -> None:
    published = {entry["name"] for entry in _read("operations")}
    assert set(_read("sdk_names")) <= published
    assert set(sdk_methods().values()) == published
    assert len(sdk_methods()) == len(published)


def test_samples_belong_to_operations() -> None:
    assert set(examples()) <= {operation.name for operation in operations()}


def test_limits_and_differences_belong_to_members_models_and_operations() -> None:
    dotted = {f"{name}.{member}" for name, members in _read("models").items() for member in members}
    assert set(_read("constraints")) <= dotted
    assert set(_read("differences")) <= dotted | set(models()) | {operation.name for operation in operations()}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("sms.list_devices_sms_messages", 5),
        ("CustomFields", 1),
        ("nidd", 4),
        ("nothing", 0),
    ],
)
def test_the_command_shows_an_operation_and_its_models(name: str, lines: int) -> None:
    assert len(list(command.show(name))) == lines
