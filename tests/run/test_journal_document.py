"""docs/journal.md says of the tables what they are."""

import re
import sqlite3
from pathlib import Path

from asyncfind.run.journal_schema import APPLICATION_ID, SCHEMA, VERSION

_PAGE = Path(__file__).parents[2] / "docs" / "journal.md"
_NO_COLUMNS = frozenset(
    (
        *("pending", "running", "done", "failed", "skipped", "lost", "proven", "assumed", "open"),
        *("attempt.id", "query.done_attempt"),
    )
)
"""What else the page has in code: values of columns."""


def _real() -> dict[str, list[str]]:
    """Tables and views, and their columns in order."""
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    names = database.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
    real = {
        name: [column for _, column, *_ in database.execute(f"PRAGMA table_info({name})")]
        for (name,) in names.fetchall()
    }
    database.close()
    return real


def _documented() -> dict[str, set[str]]:
    """What the page has in code of each table and view."""
    page = _PAGE.read_text(encoding="utf-8")
    tables = page.split("\n## Tables\n")[1].split("\n## ")[0]
    views = page.split("\n## Views\n")[1].split("```")[0]
    documented = {}
    for part in re.split(r"\n(?=\*\*)", tables)[1:]:
        name, text = re.match(r"\*\*(\w+)\*\*(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        documented[name] = set(re.findall(r"`([^`]+)`", text)) - _NO_COLUMNS
    for name in re.findall(r"\*\*(\w+)\*\*", views):
        documented[name] = set(re.findall(r"`([^`]+)`", views.split("Columns:")[1]))
    return documented


def test_every_table_and_column_is_documented_and_no_other() -> None:
    assert _documented() == {name: set(columns) for name, columns in _real().items()}


def test_the_page_knows_a_journal_by_its_numbers() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    assert f"`application_id` is {APPLICATION_ID:#010x}".lower() in page.lower()
    assert f"`user_version` is {VERSION})" in page or f"`user_version` is {VERSION} " in page


def test_the_example_runs() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert examples
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    for example in examples:
        assert database.execute(example).fetchall() == []
    database.close()
