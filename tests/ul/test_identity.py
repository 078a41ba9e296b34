"""User identity (PS3.7 Annex D.3.3.7): kinds in words, secrets in nothing but the bytes."""

import pytest

from asyncfind.ul.identity import MAX_SECRET, IdentityType, UserIdentityRQ
from asyncfind.ul.items import UserInformation


def test_passcodes_and_tokens_are_no_part_of_a_representation() -> None:
    identity = UserIdentityRQ(type=2, primary=b"florence", secondary=b"open sesame")
    information = UserInformation(
        implementation_class_uid="1.2.3",
        user_identity=identity,
        user_identity_response=b"a ticket",
    )
    for text in (repr(identity), str(identity), repr(information)):
        assert "florence" not in text
        assert "sesame" not in text
        assert "ticket" not in text
    assert identity.encode() == bytes.fromhex(
        "58 00 0019 02 00 0008 666C6F72656E6365 000B 6F70656E20736573616D65"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (1, "user name"),
        (2, "user name and passcode"),
        (3, "Kerberos service ticket"),
        (4, "SAML assertion"),
        (5, "JSON Web Token"),
        (77, "identity of type 77"),
    ],
)
def test_kinds_in_words(kind: int, words: str) -> None:
    assert UserIdentityRQ(type=kind).words == words


def test_the_longest_secret_fits_the_sub_item() -> None:
    token = UserIdentityRQ(type=IdentityType.JWT, primary=b"x" * MAX_SECRET)
    assert len(token.encode()) == 4 + 0xFFFF
    assert UserIdentityRQ.decode(token.encode()[4:]) == token
