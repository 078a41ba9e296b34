"""The levels of findscu's -ll."""

import pytest

from asyncfind.logs.levels import Level


@pytest.mark.parametrize("level", Level)
def test_every_level_has_its_name(level: Level) -> None:
    assert Level.parse(level.name) is level
    assert Level.parse(level.name.lower()) is level
    assert Level.parse(level.name.title()) is level


def test_order_and_letters() -> None:
    assert "".join(level.prefix for level in sorted(Level)) == "TDIWEFO"


def test_all_is_everything() -> None:
    assert Level.parse("aLL") is Level.TRACE


@pytest.mark.parametrize("text", ["", " info", "info ", "warning", "NOTSET", "3", "ınfo", "parse"])
def test_anything_else_is_no_level(text: str) -> None:
    assert Level.parse(text) is None
