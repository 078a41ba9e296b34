"""What a journal knows queries and jobs by: hashes that the order of the input does not change."""

import hashlib
import json
import struct
from collections.abc import Iterable

from asyncfind.plan import Peer, Plan, Query
from asyncfind.query.columns import Column
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from asyncfind.query.writer import write_item

__all__ = [
    "child_hash",
    "columns_from_text",
    "columns_to_text",
    "encode_keys",
    "key_hash",
    "place_of",
    "plan_spec",
    "spec_hash",
]


def encode_keys(query: Query) -> bytes:
    """The identifier as a journal keeps it: Explicit VR Little Endian, tags ascending."""
    return write_item(query.identifier, EXPLICIT_VR_LITTLE_ENDIAN)


def key_hash(peer: Peer, query: Query, keys: bytes | None = None) -> bytes:
    """What tells a query from every other one of a job: node, model, and level and keys.

    The Query/Retrieve Level is one of the keys. How the query is called, and in which order its
    keys were typed, does not matter.

    Args:
        keys: of `query`, if they are encoded already.
    """
    if keys is None:
        keys = encode_keys(query)
    address = f"{peer.host}\n{peer.port}\n{peer.called}\n{peer.calling}".encode()
    return _hash(address, query.model.uid.encode(), keys)


def child_hash(own: bytes, place: bytes) -> bytes:
    """What tells a query that came of splitting: the same range may come up twice in a job.

    Args:
        own: its `key_hash`.
        place: where it stands in the tree.
    """
    return _hash(own, place)


def plan_spec(plan: Plan) -> str:
    """What a job is about, for `Journal`: all that decides what answers it gets."""
    hashes = sorted(
        key_hash(peer, plan.queries[place]) for peer in plan.peers for place in plan.places(peer)
    )
    rest = {
        "cancel_after": plan.cancel_after,
        "max_responses": plan.limits.max_responses,
        "max_identifier": plan.limits.max_identifier,
        "options": [int(one) for one in plan.options.encode()],
    }
    return _hash(*hashes).hex() + json.dumps(rest, sort_keys=True)


def spec_hash(spec: str) -> str:
    """What a journal keeps of what its job is about."""
    return _hash(spec.encode()).hex()


def place_of(parent: bytes, index: int) -> bytes:
    """Where a query stands in a job: compared as bytes, children follow their parent in order."""
    return parent + struct.pack(">I", index)


def columns_to_text(columns: Iterable[Column]) -> str:
    """Columns as a journal keeps them."""
    return json.dumps([[list(one.path), one.name, one.vr] for one in columns])


def columns_from_text(text: str) -> tuple[Column, ...]:
    """Columns that `columns_to_text` wrote; raises ValueError on anything else."""
    try:
        return tuple(
            Column(tuple(int(tag) for tag in path), str(name), str(vr))
            for path, name, vr in json.loads(text)
        )
    except (TypeError, RecursionError) as exc:
        raise ValueError("no columns") from exc


def _hash(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(struct.pack(">Q", len(part)))
        digest.update(part)
    return digest.digest()
