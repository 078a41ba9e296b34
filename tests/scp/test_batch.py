"""Batches: the same fragments as one by one, made with less work."""

from hypothesis import given
from hypothesis import strategies as st

from asyncfind.dimse.message import fragment
from asyncfind.scp.batch import Batch
from asyncfind.ul.pdu import PDV

_RESPONSES = st.lists(st.tuples(st.sampled_from([0xFF00, 0xFF01]), st.binary(max_size=80)))


@given(_RESPONSES, st.integers(8, 100))
def test_a_batch_is_its_responses_in_order(
    responses: list[tuple[int, bytes]], max_length: int
) -> None:
    def fragments(status: int, identifier: bytes) -> list[PDV]:
        return fragment(1, status.to_bytes(2, "big") * 5, identifier, max_length)

    batch = Batch(fragments)
    for status, identifier in responses:
        batch.add(status, identifier)
    assert batch.size == sum(len(identifier) for _, identifier in responses)
    assert batch.total == len(responses)
    pdvs, number = batch.take()
    assert number == len(responses)
    assert pdvs == [pdv for response in responses for pdv in fragments(*response)]
    assert batch.take() == ([], 0)
    assert (batch.size, batch.total) == (0, len(responses))


def test_fragments_are_made_once_for_responses_alike() -> None:
    made = []

    def fragments(status: int, identifier: bytes) -> list[PDV]:
        made.append(identifier)
        return fragment(1, b"command ", identifier, 16384)

    batch = Batch(fragments)
    for identifier in (b"12345678", b"12345678", b"1234", b"1234567890", b"123456789", b""):
        batch.add(0xFF00, identifier)
    assert made == [b"12345678", b"1234567890"]
