"""Every option of the table has a test that uses it, and docs/ says so."""

import ast
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from asyncfind.cli.options import FIND, Option

_ROOT = Path(__file__).parents[2]
_TESTS: dict[str, str] = runpy.run_path(str(Path(__file__).with_name("option_tests.py")))[
    "OPTION_TESTS"
]


@cache
def _definitions(file: str) -> dict[str, ast.stmt]:
    """What a module defines at its top, by name: functions and constants."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse((_ROOT / file).read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
            case _:
                pass
    return found


def _words(file: str, name: str, seen: set[str]) -> Iterator[str]:
    """The words of every string in a definition and in what it uses of its module."""
    seen.add(name)
    for node in ast.walk(_definitions(file)[name]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.replace("=", " = ").split()
            yield node.value  # -x= is a name
        elif isinstance(node, ast.Name) and node.id in _definitions(file) and node.id not in seen:
            yield from _words(file, node.id, seen)


@pytest.mark.parametrize("row", FIND, ids=lambda row: row.long)
def test_every_option_has_a_test_that_uses_it(row: Option) -> None:
    file, _, name = _TESTS[row.long].partition("::")
    assert name.startswith("test_")
    assert isinstance(_definitions(file).get(name), ast.FunctionDef | ast.AsyncFunctionDef)
    assert {row.short, row.long} & set(_words(file, name, set())) - {""}


def test_nothing_but_options_is_mapped() -> None:
    assert set(_TESTS) <= {row.long for row in FIND}


def test_every_name_is_one_option_s() -> None:
    names = [name for row in FIND for name in (row.short, row.long) if name]
    assert len(names) == len(set(names))


def test_what_findscu_has_and_when() -> None:
    counts = {version: sum(row.was_in(version) for row in FIND) for version in ("3.5.4", "3.6.9")}
    assert counts["3.5.4"] < counts["3.6.9"]
    since = {row.long: (row.since, row.until) for row in FIND}
    assert since["--verify-peer-cert"] == ("3.5.4", "3.6.3")
    assert since["--ipv4"] == ("3.6.9", "")
    assert since["--node"] == ("asyncfind", "")


def test_the_documents_are_what_the_table_gives() -> None:
    done = subprocess.run(
        [sys.executable, str(_ROOT / "scripts" / "make_docs"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_document_has_a_line_for_every_option() -> None:
    lines = (_ROOT / "docs" / "options.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    assert len(rows) == len(FIND)
    for row, (names, value, since, _, test) in zip(_in_groups(), rows, strict=True):
        assert f"`{row.long}`" in names
        assert (f"`{row.short}`" in names) == bool(row.short)
        assert value.strip("`") == row.metavar
        assert (row.since in since) == (row.since != "asyncfind")
        assert f"`{_TESTS[row.long]}`" in test


def _in_groups() -> list[Option]:
    groups = list(dict.fromkeys(row.group for row in FIND))
    return sorted(FIND, key=lambda row: groups.index(row.group))
