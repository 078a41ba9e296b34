"""The text of a node book: what it may hold, and where what it may not is said to stand."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncfind.book.entries import IDENTITY, KEYS, TLS
from asyncfind.book.locate import line_of
from asyncfind.book.node import Identity, LoadTests, Node, Quirk, Settings, TlsSettings
from asyncfind.book.pacing import Rate, Span
from asyncfind.book.reader import Contents, parse_book
from asyncfind.book.secret import SecretRef
from asyncfind.errors import InvalidRequest
from asyncfind.security import CrlCheck, FileFormat, Profile

WHERE = Path("/books/nodes.toml")

FULL = """\
# Ours.
[defaults]
calling = "WORKSTATION"
rate = "300/min"
charset = ["ISO_IR 100", "ISO_IR 192"]
tls_ca = "ca.pem"

[node.north]
host = "pacs-north.example"
port = 11112
called = "NORTH_QR"
calling = "OURS"
groups = ["ring", "night"]
max_associations = 2
rate = "5/s"
between = ["20:00-06:00", "12:00 - 13:30"]
charset = "ISO 2022 IR 87"
quirks = ["no-universal-wildcard", "no-cancel"]
load = "never"
user = "jan"
passcode = "env:ASYNCFIND_NORTH"
user_response = true
tls = "bcp195"
tls_ca = ["/etc/ca.pem", "more/ca.pem"]
tls_ca_dir = "cas"
tls_system_trust = true
tls_key = "key.pem"
tls_certificate = "certificate.pem"
tls_password = "file:pass"
tls_format = "pem"
tls_crl = "crl.pem"
tls_crl_check = "chain"
tls_ciphers = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
tls_verify = false
tls_verify_hostname = false
tls_server_name = "inner.example"
tls_pin = "sha256:%s"

[node."east.2"]
host = "[2001:db8::1]"
port = 104
tls = false
""" % ("AB" * 32)


def _parse(text: str) -> Contents:
    return parse_book(text, WHERE)


def _node(lines: str, defaults: str = "") -> Node:
    text = f'[defaults]\n{defaults}\n[node.north]\nhost = "h"\nport = 104\n{lines}\n'
    return _parse(text).nodes[0]


def _refusal(text: str) -> str | None:
    try:
        _parse(text)
    except InvalidRequest as exc:
        return exc.text
    return None


def test_every_key_arrives() -> None:
    contents = _parse(FULL)
    assert contents.defaults == Settings(
        calling="WORKSTATION",
        rate=Rate(300, 60),
        charset=("ISO_IR 100", "ISO_IR 192"),
        tls=TlsSettings(ca_files=("/books/ca.pem",)),
    )
    assert contents.nodes == (
        Node(
            name="north",
            host="pacs-north.example",
            port=11112,
            called="NORTH_QR",
            calling="OURS",
            groups=("ring", "night"),
            max_associations=2,
            rate=Rate(5, 1),
            between=(Span(1200, 360), Span(720, 810)),
            charset=("ISO 2022 IR 87",),
            quirks=frozenset((Quirk.NO_UNIVERSAL_WILDCARD, Quirk.NO_CANCEL)),
            load=LoadTests.NEVER,
            identity=Identity(
                user="jan", passcode=SecretRef("env", "ASYNCFIND_NORTH"), response=True
            ),
            tls=TlsSettings(
                enabled=True,
                profile=Profile.BCP195,
                ca_files=("/etc/ca.pem", "/books/more/ca.pem"),
                ca_directories=("/books/cas",),
                system_trust=True,
                key_file="/books/key.pem",
                certificate_file="/books/certificate.pem",
                password=SecretRef("file", "/books/pass"),
                file_format=FileFormat.PEM,
                crl_files=("/books/crl.pem",),
                crl_check=CrlCheck.CHAIN,
                ciphers=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",),
                verify_peer=False,
                check_hostname=False,
                server_name="inner.example",
                pin="sha256:" + "ab" * 32,
            ),
        ),
        Node(name="east.2", host="2001:db8::1", port=104, tls=TlsSettings(enabled=False)),
    )


def test_an_empty_book_is_one() -> None:
    assert _parse("") == Contents((), Settings())


def test_midnight_ends_a_span_under_both_its_names() -> None:
    node = _node('between = "20:00-00:00, 00:00-24:00"')
    assert node.between == (Span(1200, 1440), Span(0, 1440))
    assert [str(span) for span in node.between] == ["20:00-24:00", "00:00-24:00"]


def test_defaults_hold_where_a_node_says_nothing() -> None:
    contents = _parse(
        '[defaults]\ncalling="D"\nmax_associations=2\ntls="8996"\ntls_ca="ca.pem"\n'
        '[node.a]\nhost="h"\nport=1\nmax_associations=3\ntls_verify_hostname=false\n'
        '[node.b]\nhost="h"\nport=1\ntls=false\n'
    )
    first, second = (node.over(contents.defaults) for node in contents.nodes)
    assert (first.calling, first.max_associations) == ("D", 3)
    assert first.tls == TlsSettings(
        enabled=True, profile=Profile.RFC8996, ca_files=("/books/ca.pem",), check_hostname=False
    )
    assert (second.max_associations, second.tls.enabled) == (2, False)


def test_a_key_comes_with_its_own_pass_phrase() -> None:
    contents = _parse(
        '[defaults]\ntls="8996"\ntls_ca="ca"\ntls_key="k"\ntls_certificate="c"\n'
        'tls_password="env:ASYNCFIND_K"\n'
        '[node.a]\nhost="h"\nport=1\ntls_pkcs12="own.p12"\n'
        '[node.b]\nhost="h"\nport=1\n'
    )
    first, second = (node.over(contents.defaults).tls for node in contents.nodes)
    assert (first.key_file, first.certificate_file, first.password) == (None, None, None)
    assert (first.pkcs12_file, first.ca_files) == ("/books/own.p12", ("/books/ca",))
    assert (second.key_file, second.password) == ("/books/k", SecretRef("env", "ASYNCFIND_K"))


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ('called = "SEVENTEEN-LETTERS"', 6, "1 to 16 printable ASCII"),
        ('called = ""', 6, "a text in quotes"),
        ('calling = "B\\u00dcRO"', 6, "no calling AE title"),
        ('calling = "A\\\\B"', 6, "no calling AE title"),
        ('groups = ["a/b"]', 6, "names have 1 to 64 letters"),
        ('groups = [".."]', 6, "names have 1 to 64 letters"),
        ("groups = [1]", 6, "a text in quotes"),
        ("max_associations = 0", 6, "a number from 1 to 256"),
        ("max_associations = 257", 6, "a number from 1 to 256"),
        ("max_associations = true", 6, "a number from 1 to 256"),
        ("max_associations = 4.0", 6, "a number from 1 to 256"),
        ("rate = 5", 6, "a text in quotes"),
        ('rate = "0/s"', 6, "more than 0"),
        ('rate = "10001/s"', 6, "at most 10000/s"),
        ('rate = "fast"', 6, "write a rate as"),
        ('rate = "1e3/s"', 6, "write a rate as"),
        ('between = "20-06"', 6, "write a time of the day"),
        ('between = "20:00-20:00"', 6, "begin and end are the same"),
        ('between = "24:00-06:00"', 6, "the clock goes"),
        ('between = "20:60-06:00"', 6, "the clock goes"),
        ("between = []", 6, "write 1 to 48 times"),
        ('charset = ["latin1"]', 6, "a defined term"),
        ('charset = ["ISO_IR 104"]', 6, "a defined term"),
        ('quirks = ["slow"]', 6, "one of no-universal-wildcard"),
        (f"quirks = [{'1,' * 257}]", 6, "at most 256 texts"),
        ('user = "a"\npasscode = "file:"', 7, "name where the secret is"),
        ('user = "a"\npasscode = "keyring:service"', 7, "name where the secret is"),
        ('load = "sometimes"', 6, "one of allowed, never"),
        ('\n\ntls_verfy = false\ntls = "8996"', 8, "unknown key.*Did you mean tls_verify"),
        ('command = "rm"', 6, "unknown key"),
        ('password = "geheim"', 6, "unknown key.*secret is never written"),
        ('rates = """\n5\n/s"""', 6, "unknown key.*Did you mean rate"),
        ("tls = true", 6, "one of bcp195-nd"),
        ('tls = "ssl3"', 6, "one of bcp195-nd"),
        ('tls = "8996"', 3, "whose certificate to trust"),
        ('tls_ca = "ca.pem"', 3, "described but not chosen"),
        ('tls = "8996"\ntls_ca = "c"\ntls_key = "k"', 3, "belong together"),
        (
            'tls = "8996"\ntls_ca = "c"\ntls_key = "k"\ntls_certificate = "c"\ntls_pkcs12 = "p"',
            3,
            "two keys",
        ),
        ('tls_pin = "sha256:12"', 6, "64 hexadecimal digits"),
        ('tls_format = "p12"', 6, "one of pem, der"),
        ('tls_verify = "no"', 6, "true or false"),
        ('user = "a"\njwt = "env:ASYNCFIND_T"', 3, "no user identity"),
        ('passcode = "env:ASYNCFIND_T"', 3, "no user identity"),
        ("user_response = true", 3, "no user identity"),
        ("[node.b]\nport = 104", 6, "host is missing"),
        ('[node.b]\nhost = "h"', 6, "port is missing"),
        ('[node.b]\nhost = "a b"\nport = 1', 7, "no host name"),
        ('[node.b]\nhost = "a/b"\nport = 1', 7, "no host name"),
        ('[node.b]\nhost = "h"\nport = 0', 8, "from 1 to 65535"),
        ('[node.b]\nhost = "h"\nport = 65536', 8, "from 1 to 65535"),
        ('[node.b]\nhost = "h"\nport = "104"', 8, "from 1 to 65535"),
        ('[node."../b"]\nhost = "h"\nport = 1', 6, "names have"),
        ('[node.".b"]\nhost = "h"\nport = 1', 6, "names have"),
        ('[node.-b]\nhost = "h"\nport = 1', 6, "names have"),
        ('[node."b."]\nhost = "h"\nport = 1', 6, "names have"),
        ('[node.nul]\nhost = "h"\nport = 1', 6, "names have"),
        ('[node."Com1.x"]\nhost = "h"\nport = 1', 6, "names have"),
        (f'[node.{"n" * 65}]\nhost = "h"\nport = 1', 6, "names have"),
        ('[include]\nfile = "x"', 6, "include: unknown key"),
    ],
)
def test_what_may_not_be_is_named_with_its_line(lines: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _node(lines)
    text = f"{caught.value.text} {caught.value.hint}"
    assert f"node book /books/nodes.toml, line {line}:" in text
    assert re.search(words, text, re.DOTALL)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("tls = false", "holds for one node"),
        ('tls = "null"', "holds for one node"),
        ("tls_verify = false", "holds for one node"),
        ("tls_verify_hostname = false", "holds for one node"),
        ('tls_pin = "sha256:00"', "belongs to a node"),
        ('tls_server_name = "x"', "belongs to a node"),
        ('user = "x"', "belongs to a node"),
        ('host = "x"', "belongs to a node"),
        ('called = "x"', "belongs to a node"),
    ],
)
def test_no_default_weakens_or_names_one_node(lines: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"line 2: defaults\.\w+: .*{words}"):
        _node("", lines)


SECRET = "correct-horse-battery"
PEM = "-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize(
    "lines",
    [
        f'user = "a"\npasscode = "{SECRET}"',
        f'user = "a"\npasscode = "plain:{SECRET}"',
        f'user = "a"\npasscode = "env:{SECRET}"',
        f'user = "a"\npasscode = ["{SECRET}"]',
        f'jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.{SECRET}"',
        f'user = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.{SECRET}"',
        f'tls_key = "{PEM} {SECRET}"',
        f'tls_password = "{SECRET}"',
        f'password = "{SECRET}"',
        f'passcode = "{SECRET}',
        f'x = "\\q{SECRET}"',
    ],
)
def test_a_secret_in_the_book_is_refused_and_never_shown(lines: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _node(lines)
    assert SECRET not in f"{caught.value.text}{caught.value.hint}{caught.value.__cause__!r}"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    ["node = 1", "[node]\nnorth = 1", "[[node.north]]\n", "defaults = []", "x = " + "[" * 50_000],
)
def test_tables_are_where_they_belong(text: str) -> None:
    with pytest.raises(InvalidRequest):
        _parse(text)


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_a_book_or_an_error_of_ours(text: str) -> None:
    assert (_refusal(text) or "taken").isprintable()


scalars = st.one_of(
    st.integers(-5, 70_000), st.booleans(), st.sampled_from(["x", "5/s", "20:00-06:00", "8996"])
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([*KEYS, *TLS, *IDENTITY, "tls", "other"]),
        st.one_of(scalars, st.lists(scalars, max_size=2)),
        max_size=5,
    )
)
def test_any_values_are_taken_or_refused_by_name(values: dict[str, object]) -> None:
    def show(value: object) -> str:
        if isinstance(value, list):
            return f"[{', '.join(map(show, value))}]"
        return f'"{value}"' if isinstance(value, str) else str(value).lower()

    lines = [f"{name} = {show(value)}" for name, value in values.items()]
    text = "\n".join(["[node.n]", *lines])
    refusal = _refusal(text)
    if refusal is None:
        assert _parse(text).nodes[0].host == values["host"]
    else:
        assert re.search(r"line \d+: node\.n", refusal)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                "",
                "# note",
                'a = """x\n[node.y]\ny = 1\n"""',
                "a = [\n1,\n\n2]",
                "a = 1",
                'a.b = "c"',
            ]
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_the_line_of_a_key_is_the_one_it_begins_on(parts: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.integers(0, len(parts) - 1))
    lines: list[str] = []
    expected = 0
    for number, part in enumerate(parts):
        lines.append(f"[node.t{number}]")
        if number == wanted:
            expected = len(lines) + 1
            part = data.draw(st.sampled_from(["key = 1", 'key = """\n\nkey\n"""', "key = [\n1\n]"]))
        lines += part.split("\n")
    assert line_of("\n".join(lines), ("node", f"t{wanted}", "key")) == expected


def test_a_line_is_not_looked_for_in_a_huge_book() -> None:
    assert line_of("a = 1\n" + "#" * 300_000, ("a",)) is None
