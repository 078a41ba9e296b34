"""C-ECHO to many peers at once (PS3.7 Section 9.1.5)."""

import time
from dataclasses import replace

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from asyncfind.dimse.status import describe
from asyncfind.errors import Kind, PeerError
from asyncfind.net.association import associate
from asyncfind.plan import Peer, Plan
from asyncfind.records import Agreement, Echoed, Secured, Traffic
from asyncfind.safe import safe

__all__ = ["echo_all"]


async def echo_all(plan: Plan, results: MemoryObjectSendStream[Echoed], at_once: int = 64) -> None:
    """Verify every peer of `plan`; one result each, in the order in which they come in.

    `results` is closed at the end.
    """
    limiter = anyio.CapacityLimiter(at_once)
    async with results, anyio.create_task_group() as tasks:
        for peer in plan.peers:
            tasks.start_soon(_echo, plan, peer, results, limiter)


async def _echo(
    plan: Plan, peer: Peer, results: MemoryObjectSendStream[Echoed], limiter: anyio.CapacityLimiter
) -> None:
    async with limiter:
        traffic: list[Traffic] | None = [] if plan.trace else None
        echoed = await _measure(plan, peer, traffic)
        await results.send(replace(echoed, traffic=tuple(traffic or ())))


async def _measure(plan: Plan, peer: Peer, traffic: list[Traffic] | None) -> Echoed:
    connect = associated = None
    implementation = ""
    secured, agreement = Secured(), Agreement()
    try:
        async with associate(
            peer,
            (),
            verification=True,
            timeouts=plan.timeouts,
            max_pdu_length=plan.max_pdu_length,
            traffic=traffic,
        ) as association:
            connect, associated = association.connect_seconds, association.associate_seconds
            secured, agreement = association.secured, association.agreement
            if association.accepted is not None:
                information = association.accepted.user_information
                implementation = safe(information.implementation_version_name, 32)
            started = time.monotonic()
            status = await association.echo()
            return Echoed(
                peer=peer,
                status=status,
                connect=connect,
                associate=associated,
                echo=time.monotonic() - started,
                error="" if status == 0 else f"status {status:04X}: {describe(status).meaning}",
                hint="" if status == 0 else describe(status).advice,
                kind=None if status == 0 else Kind.STATUS,
                implementation=implementation,
                secured=secured,
                agreement=agreement,
            )
    except PeerError as exc:
        return Echoed(
            peer=peer,
            status=None,
            connect=connect,
            associate=associated,
            error=exc.text,
            hint=exc.hint,
            kind=exc.kind,
            implementation=implementation,
            secured=secured,
            agreement=agreement,
        )
