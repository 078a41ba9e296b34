"""The node book as a file: where it is looked for, what is found in it, how it grows."""

import errno
import os
import stat
import sys
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.book.entries import IDENTITY, KEYS, TLS
from asyncfind.book.node import Settings
from asyncfind.book.nodebook import NodeBook, add_node
from asyncfind.book.reader import parse_book
from asyncfind.book.secret import SecretRef, read_secret
from asyncfind.book.toml import toml_key, toml_value
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer
from asyncfind.security import FileFormat, Profile, Tls
from asyncfind.ul.identity import IdentityType, UserIdentityRQ

RING = """\
[node.north]
host = "north.example"
port = 104
called = "NORTH"
groups = ["ring"]

[node.south]
host = "2001:db8::2"
port = 105
groups = ["ring", "night"]

[node.east]
host = "east.example"
port = 106
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "nodes.toml"
    path.write_text(RING, encoding="utf-8")
    return path


def _names(book: NodeBook, *selectors: str) -> list[str]:
    return [node.name or node.address for node in book.resolve(selectors)]


# --- where it is ---


def test_the_named_book_goes_before_the_environment_and_that_before_the_home(
    tmp_path: Path,
) -> None:
    places = {"named": "named.toml", "variable": "v.toml", "xdg": "c/asyncfind/nodes.toml"}
    for name, place in {**places, "home": "h/.config/asyncfind/nodes.toml"}.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'[node.{name}]\nhost = "h"\nport = 1\n', encoding="utf-8")
    environ = {
        "ASYNCFIND_NODES": str(tmp_path / "v.toml"),
        "XDG_CONFIG_HOME": str(tmp_path / "c"),
        "HOME": str(tmp_path / "h"),
    }
    assert list(NodeBook.load(tmp_path / "named.toml", environ=environ).nodes) == ["named"]
    assert list(NodeBook.load(environ=environ).nodes) == ["variable"]
    environ["ASYNCFIND_NODES"] = ""
    assert list(NodeBook.load(environ=environ).nodes) == ["xdg"]
    environ["XDG_CONFIG_HOME"] = "relative"
    assert list(NodeBook.load(environ=environ).nodes) == ["home"]
    del environ["HOME"]
    with pytest.raises(InvalidRequest, match="no home folder"):
        NodeBook.load(environ=environ)


def test_the_current_folder_is_not_searched(
    book: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    book.rename(tmp_path / "asyncfind-nodes.toml")
    monkeypatch.chdir(tmp_path)
    assert NodeBook.load(environ={"HOME": str(tmp_path / "home")}).nodes == {}


def test_a_book_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no node book"):
        NodeBook.load(tmp_path / "none.toml", environ={})
    with pytest.raises(InvalidRequest, match="there is no node book"):
        NodeBook.load(environ={"ASYNCFIND_NODES": str(tmp_path / "none.toml")})


# --- how it is read ---


def test_what_is_no_file_of_ours_is_not_read(book: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "no regular file"), (".", "no regular file"), ("a\0b", "no name")):
        with pytest.raises(InvalidRequest, match=words):
            NodeBook.load(tmp_path / name)
    with pytest.raises(InvalidRequest, match="no regular file"):
        NodeBook.load("/dev/zero")
    with pytest.raises(InvalidRequest, match="cannot be read: Not a directory"):
        NodeBook.load(book / "x")
    with pytest.raises(InvalidRequest, match="cannot be read: Input/output error"):
        NodeBook.load("/proc/self/mem")
    book.chmod(0o666)
    with pytest.raises(InvalidRequest, match="everybody may write"):
        NodeBook.load(book)


def test_a_byte_order_mark_is_taken_and_other_encodings_are_not(book: Path) -> None:
    book.write_bytes(b"\xef\xbb\xbf" + RING.encode())
    assert len(NodeBook.load(book).nodes) == 3
    book.write_bytes(RING.encode() + b"# B\xfcro\n")
    with pytest.raises(InvalidRequest, match="line 15 is not UTF-8"):
        NodeBook.load(book)


def test_a_book_has_at_most_16_mib(book: Path) -> None:
    with book.open("a") as file:
        file.write("#" * (16 * 1024 * 1024 - len(RING)))
    assert len(NodeBook.load(book).nodes) == 3
    with book.open("a") as file:
        file.write("#")
    with pytest.raises(InvalidRequest, match="larger than 16 MiB"):
        NodeBook.load(book)


# --- who is meant ---


def test_selectors_are_names_groups_and_addresses(book: Path) -> None:
    nodes = NodeBook.load(book)
    assert _names(nodes, "east", "@ring") == ["east", "north", "south"]
    assert _names(nodes, "@night", "south", "@ring") == ["south", "north"]
    assert _names(nodes, "X@[::1]:11112", "west.example:104", "X@[::1]:11112") == [
        "X@[::1]:11112",
        "ANY-SCP@west.example:104",
    ]
    assert nodes.resolve(("h:1",), called="THEM")[0].called == "THEM"
    assert nodes.resolve(()) == ()
    assert list(nodes.groups) == ["ring", "night"]


@pytest.mark.parametrize(
    ("selector", "words", "hint"),
    [
        ("nort", "no node 'nort'", "Did you mean north"),
        ("North", "no node 'North'", "Did you mean north"),
        ("@rin", "no group '@rin'", "Did you mean @ring"),
        ("@north", "no group '@north'", "north"),
        ("ring", "no node 'ring'", "@ring"),
        ("zzzz", "no node 'zzzz'", "Known are north, south, east, @ring, @night"),
        ("", "no node ''", "Known are"),
        ("A@h:0", "no TCP port", ""),
        ("::1:104", "IPv6", "AET@[ADDRESS]:PORT"),
        ("A B@h:1:2", "IPv6", ""),
        ("a b:1", "no host name", ""),
    ],
)
def test_who_is_not_known_gets_suggestions(
    book: Path, selector: str, words: str, hint: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        NodeBook.load(book).resolve((selector,))
    assert hint in caught.value.hint


def test_without_a_book_archives_go_by_their_address() -> None:
    with pytest.raises(InvalidRequest) as caught:
        NodeBook().resolve(("north",))
    assert "AET@HOST:PORT" in caught.value.hint
    assert NodeBook().resolve(("A@h:1",))[0].address == "A@h:1"


# --- as peers ---


def test_a_plain_node_is_a_plain_peer(book: Path) -> None:
    nodes = NodeBook.load(book)
    peer = nodes.peer(nodes.nodes["north"])
    assert peer == Peer(host="north.example", port=104, called="NORTH", name="north")
    assert peer.node == "north"
    assert nodes.peer(nodes.resolve(("A@h:1",))[0]).node == "A@h:1"
    assert nodes.peer(nodes.nodes["south"], calling="ME").calling == "ME"


def test_the_calling_title_is_the_nodes_or_that_of_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    node = 'host = "h"\nport = 1\n'
    path.write_text(
        f'[defaults]\ncalling = "D"\n[node.a]\n{node}calling = "A"\n[node.b]\n{node}',
        encoding="utf-8",
    )
    book = NodeBook.load(path)
    peers = [book.peer(node, calling="C") for node in book.resolve(("a", "b", "h:1"))]
    assert [peer.calling for peer in peers] == ["A", "D", "D"]


def test_secrets_are_read_when_a_peer_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.toml"
    path.write_text(
        '[node.a]\nhost = "h"\nport = 1\nuser = "jan"\npasscode = "env:ASYNCFIND_A"\n'
        'tls = "bcp195"\ntls_ca = "ca.pem"\ntls_key = "k.der"\ntls_certificate = "c.der"\n'
        'tls_password = "file:pass"\ntls_format = "der"\n'
        '[node.b]\nhost = "h"\nport = 1\njwt = "file:token"\nuser_response = true\n'
        '[node.c]\nhost = "h"\nport = 1\nkerberos = "file:token"\n',
        encoding="utf-8",
    )
    book = NodeBook.load(path)
    with pytest.raises(InvalidRequest, match="node a, tls_password: its file cannot be read"):
        book.peer(book.nodes["a"])
    (tmp_path / "pass").write_bytes(b"p\xc3\xa4ss\r\n")
    with pytest.raises(InvalidRequest, match="node a, passcode: the variable ASYNCFIND_A is not"):
        book.peer(book.nodes["a"])
    monkeypatch.setenv("ASYNCFIND_A", "1234")
    peer = book.peer(book.nodes["a"])
    assert peer.tls == Tls(
        key_file=str(tmp_path / "k.der"),
        certificate_file=str(tmp_path / "c.der"),
        password="päss",
        file_format=FileFormat.DER,
        ca_files=(str(tmp_path / "ca.pem"),),
        profile=Profile.BCP195,
    )
    assert peer.identity == UserIdentityRQ(
        type=IdentityType.USER_NAME_AND_PASSCODE, primary=b"jan", secondary=b"1234"
    )
    assert "1234" not in repr(peer)
    (tmp_path / "token").write_bytes(b"abc\n")
    assert book.peer(book.nodes["b"]).identity == UserIdentityRQ(
        type=IdentityType.JWT, response_requested=True, primary=b"abc"
    )
    assert book.peer(book.nodes["c"]).identity == UserIdentityRQ(
        type=IdentityType.KERBEROS, primary=b"abc\n"
    )


def test_a_secret_has_a_size(tmp_path: Path) -> None:
    for size in (0, 65_530):
        (tmp_path / "s").write_bytes(b"x" * size)
        with pytest.raises(InvalidRequest, match="bytes, 1 to"):
            read_secret(SecretRef("file", str(tmp_path / "s")), "it")
    (tmp_path / "s").write_bytes(b"x" * 65_529 + b"\r\n")
    assert len(read_secret(SecretRef("file", str(tmp_path / "s")), "it")) == 65_529


def test_a_user_and_a_passcode_share_what_room_there_is(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    entry = 'host = "h"\nport = 1\nuser = "jan"\n'
    path.write_text(f'[node.a]\n{entry}passcode = "file:s"\n[node.b]\n{entry}', encoding="utf-8")
    book = NodeBook.load(path)
    (tmp_path / "s").write_bytes(b"x" * 65_526)
    identity = book.peer(book.nodes["a"]).identity
    assert identity is not None
    assert len(identity.encode()) == 4 + 65_535
    (tmp_path / "s").write_bytes(b"x" * 65_527)
    with pytest.raises(InvalidRequest, match="node a: the user name and passcode has more than"):
        book.peer(book.nodes["a"])
    assert book.peer(book.nodes["b"]).identity == UserIdentityRQ(
        type=IdentityType.USER_NAME, primary=b"jan"
    )


def test_the_keyring_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = SecretRef("keyring", "asyncfind/north/jan")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InvalidRequest) as caught:
        read_secret(ref, "it")
    assert "asyncfind[keyring]" in caught.value.hint

    class KeyringError(Exception):
        pass

    def locked(service: str, user: str) -> str:
        raise KeyringError("a message with 1234 in it")

    entries = {("asyncfind/north", "jan"): "1234"}
    errors = SimpleNamespace(KeyringError=KeyringError)
    fake = SimpleNamespace(get_password=lambda *entry: entries.get(entry), errors=errors)
    monkeypatch.setitem(sys.modules, "keyring", fake)
    assert read_secret(ref, "it") == b"1234"
    with pytest.raises(InvalidRequest, match="no such entry"):
        read_secret(SecretRef("keyring", "other/jan"), "it")
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked, errors=errors))
    with pytest.raises(InvalidRequest, match="did not give it") as caught:
        read_secret(ref, "it")
    assert "1234" not in str(caught.value)


# --- how it grows ---

ODD = "# Ours, do not sort.\n\n[ node . north ]\r\nhost='n' # the old one\nport = 0x68"


def test_a_node_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text(ODD, encoding="utf-8", newline="")
    path.chmod(0o640)
    node = add_node(
        path,
        "east.2",
        {
            "host": "::1",
            "port": 104,
            "called": 'A"B',
            "groups": ("ring", "x"),
            "user": "jäń\u200b"[:3],
        },
    )
    assert (node.name, node.called, node.groups) == ("east.2", 'A"B', ("ring", "x"))
    text = path.read_bytes().decode()
    assert text.startswith(ODD)
    assert NodeBook.load(path).nodes["east.2"] == node
    assert list(NodeBook.load(path).nodes) == ["north", "east.2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["nodes.toml"]


def test_a_book_that_cannot_be_written_stays_as_it_was(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidRequest, match="cannot be written: No space left"):
        add_node(book, "x", {"host": "h", "port": 1})
    assert book.read_text() == RING
    assert [entry.name for entry in book.parent.iterdir()] == ["nodes.toml"]


def test_a_new_book_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "config" / "asyncfind" / "nodes.toml"
    add_node(path, "a", {"host": "h", "port": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text() == '[node.a]\nhost = "h"\nport = 1\n'


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("north", {"host": "h", "port": 1}, "there is a node 'north' already"),
        ("..", {"host": "h", "port": 1}, "names have"),
        ("x", {"host": "h", "port": 0}, "from 1 to 65535"),
        ("x", {"host": "h", "port": 1, "groups": ("a/b",)}, "names have"),
        ("x", {"host": "h", "port": 1, "called": "A\udc80"}, "line 19"),
        ("x", {"host": "h", "port": 1, "tls": "8996"}, "whose certificate"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    book: Path, name: str, keys: dict[str, str | int | tuple[str, ...]], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        add_node(book, name, keys)
    assert book.read_text() == RING


def test_a_book_whose_nodes_are_inline_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    text = 'node = { a = { host = "h", port = 1 } }\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest):
        add_node(path, "b", {"host": "h", "port": 1})
    assert path.read_text() == text


def test_no_symbolic_link_is_replaced_or_followed(book: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(book)
    assert len(NodeBook.load(link).nodes) == 3
    with pytest.raises(InvalidRequest, match="symbolic link"):
        add_node(link, "x", {"host": "h", "port": 1})
    assert link.is_symlink()
    assert book.read_text() == RING


def test_a_folder_that_cannot_be_is_said_so(book: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        add_node(book / "nodes.toml", "x", {"host": "h", "port": 1})


def test_two_who_add_at_once_both_do(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    names = [f"n{number}" for number in range(16)]
    threads = [
        threading.Thread(target=add_node, args=(path, name, {"host": "h", "port": 1}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(NodeBook.load(path).nodes) == sorted(names)


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_any_text_comes_back_from_toml(text: str) -> None:
    assert tomllib.loads(f"{toml_key(text)} = {toml_value(text)}") == {text: text}


def test_the_defaults_of_an_empty_book_say_nothing() -> None:
    assert NodeBook().defaults == Settings()


def test_the_book_in_the_documentation_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "nodes.md"
    text = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    contents = parse_book(text, page)
    assert [node.name for node in contents.nodes] == ["north", "south"]
    assert all(f"`{key}`" in page.read_text(encoding="utf-8") for key in (*KEYS, *TLS, *IDENTITY))
