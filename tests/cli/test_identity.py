"""Secrets come from where nobody looks on, and go nowhere but to the archive."""

import getpass
import io
import warnings
from pathlib import Path
from typing import Any

import pytest

from asyncfind.cli.identity import make_identity, parse_addresses, read_secret
from asyncfind.errors import InvalidRequest
from asyncfind.ul.identity import MAX_SECRET

_SECRET = "open-sesame"


def _refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_secret(*arguments, **options)
    error: BaseException | None = caught.value
    words = f"{caught.value.text} {caught.value.hint}"
    while error is not None:  # nor in what a traceback would show
        assert _SECRET not in str(error)
        error = error.__cause__ or error.__context__
    return words


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"open-sesame", b"open-sesame"),
        (b"open-sesame\n", b"open-sesame"),
        (b"open-sesame\r\n", b"open-sesame"),
        (b" open-sesame \n\n", b" open-sesame \n"),
    ],
)
def test_a_file(tmp_path: Path, content: bytes, secret: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert read_secret(f"file:{file}") == secret
    assert read_secret(f"file:{file}", binary=True) == content


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"open-sesame\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert read_secret("file:-") == b"open-sesame"


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFIND_TEST_PASSCODE", _SECRET)
    assert read_secret("env:ASYNCFIND_TEST_PASSCODE") == _SECRET.encode()
    assert "not set" in _refused("env:ASYNCFIND_TEST_NOTHING")


def test_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return _SECRET

    monkeypatch.setattr(getpass, "getpass", ask)
    assert read_secret("prompt", "passcode of florence") == _SECRET.encode()
    assert prompts == ["Passcode of florence: "]


def test_no_prompt_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_back(prompt: str) -> str:
        warnings.warn("would be seen", getpass.GetPassWarning, stacklevel=2)
        return _SECRET

    monkeypatch.setattr(getpass, "getpass", fall_back)
    assert "no terminal" in _refused("prompt")


@pytest.mark.parametrize("source", [_SECRET, "", "file:", "env:", f"pass:{_SECRET}"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(source: str) -> None:
    assert "named, not written" in _refused(source)


def test_files_that_are_no_secret(tmp_path: Path) -> None:
    assert "No such file" in _refused(f"file:{tmp_path / 'nothing'}")
    assert "cannot be read" in _refused("file:a\0b")
    empty, long = tmp_path / "empty", tmp_path / "long"
    empty.write_bytes(b"\n")
    long.write_bytes(b"x" * (MAX_SECRET + 3))
    assert "is empty" in _refused(f"file:{empty}")
    assert str(MAX_SECRET) in _refused(f"file:{long}")
    assert "file" in _refused("file:/dev/zero")  # and it comes back


def test_each_kind_of_identity(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"open-sesame\n")
    source = f"file:{file}"
    made = [
        make_identity(user="florence"),
        make_identity(user="florence", passcode=source, response=True),
        make_identity(kerberos=source),
        make_identity(saml=source, response=True),
        make_identity(jwt=source),
    ]
    found = [(one.type, one.response_requested, one.primary, one.secondary) for one in made if one]
    assert found == [
        (1, False, b"florence", b""),
        (2, True, b"florence", b"open-sesame"),
        (3, False, b"open-sesame\n", b""),  # a ticket is binary
        (4, True, b"open-sesame", b""),
        (5, False, b"open-sesame", b""),
    ]
    assert _SECRET not in repr(made)
    assert make_identity() is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"user": "florence", "jwt": "prompt"}, "more than one"),
        ({"saml": "prompt", "jwt": "prompt"}, "more than one"),
        ({"passcode": "prompt"}, "without --user"),
        ({"response": True}, "without a user identity"),
        ({"user": ""}, "names nobody"),
        ({"user": "x" * 65536}, "65529 are possible"),
    ],
)
def test_identities_that_are_none(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        make_identity(**options)


def test_addresses_to_connect_from() -> None:
    assert parse_addresses("127.0.0.2, [::1],127.0.0.2") == ("127.0.0.2", "::1")
    for text in ("", "localhost", "127.0.0.1,", "127.0.0.1:104"):
        with pytest.raises(InvalidRequest, match="is no IP address"):
            parse_addresses(text)
