"""What names an archive."""

import pytest

from asyncfind.cli.nodes import check_title, parse_node, parse_port
from asyncfind.errors import InvalidRequest
from asyncfind.plan import Peer


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("pacs:104", Peer(host="pacs", port=104, called="ANY-SCP", calling="ME")),
        ("NORTH@192.0.2.1:11112", Peer(host="192.0.2.1", port=11112, called="NORTH", calling="ME")),
        ("A@[::1]:104", Peer(host="::1", port=104, called="A", calling="ME")),
        ("A B@C@pacs:1", Peer(host="pacs", port=1, called="A B@C", calling="ME")),
    ],
)
def test_a_node_is_title_host_and_port(text: str, peer: Peer) -> None:
    assert parse_node(text, called="ANY-SCP", calling="ME") == peer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pacs", "not of the form"),
        (":104", "not of the form"),
        ("pacs:", "no TCP port"),
        ("pacs:0", "no TCP port"),
        ("pacs:65536", "no TCP port"),
        ("pacs:1e3", "no TCP port"),
        ("pacs:١٢", "no TCP port"),
        ("::1:104", "in brackets"),
        ("@pacs:104", "no called AE title"),
        ("SEVENTEEN-LETTERS@pacs:104", "no called AE title"),
        ("BÜRO@pacs:104", "no called AE title"),
        ("A\\B@pacs:104", "no called AE title"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        parse_node(text, called="ANY-SCP", calling="ME")


def test_a_node_is_named_by_title_and_address() -> None:
    assert parse_node("A@[::1]:104", called="X", calling="Y").node == "A@[::1]:104"
    assert parse_node("pacs:104", called="X", calling="Y").node == "X@pacs:104"


def test_titles_lose_their_padding() -> None:
    assert check_title(" PACS ", "called") == "PACS"


def test_a_huge_number_is_no_port() -> None:
    with pytest.raises(InvalidRequest):
        parse_port("9" * 10000)
