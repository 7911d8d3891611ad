"""The table of a server's bad days is whole and true: 22 cases, each held by tests that exist."""

import ast
import re

from diffava_proto.v1 import foley_pb2
from support.checkout import ROOT, tracked_files

TABLE = (ROOT / "tests" / "e2e" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", TABLE, re.MULTILINE)


def names_of_tests():
    names = set()
    for path in tracked_files():
        if path.startswith("tests/") and path.endswith(".py"):
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return names


def test_the_table_has_every_case_once():
    assert [int(number) for number, _ in ROWS] == list(range(1, 23))


def test_every_case_is_held_by_tests_that_exist():
    known = names_of_tests()
    for number, row in ROWS:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, f"case {number} names no test"
        assert not set(named) - known, f"case {number} names tests that are gone"


def test_every_cell_says_something():
    assert not [number for number, row in ROWS if not all(cell.strip() for cell in row.split("|"))]


def names_of_fields(message):
    for field in message.fields:
        yield field.name
        if field.message_type is not None:
            yield from names_of_fields(field.message_type)


def test_case_16_no_call_can_name_a_job_of_another_call():
    """Whoever cannot say which job is meant can neither cancel nor read it."""
    service = foley_pb2.DESCRIPTOR.services_by_name["FoleyService"]
    assert [method.name for method in service.methods] == ["Generate", "GetServerInfo"]
    asked = [name for method in service.methods for name in names_of_fields(method.input_type)]
    assert "prompt" in asked
    assert not [name for name in asked if re.search(r"job|call|ticket|session", name)]
