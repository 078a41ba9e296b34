"""One association in one coroutine: request, find, echo, cancel, release, abort."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from asyncfind.dimse.command import (
    VERIFICATION,
    EchoRQ,
    EchoRSP,
)
from asyncfind.dimse.message import Message
from asyncfind.errors import (
    NoPresentationContext,
    PeerError,
    PeerTimeout,
)
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.net.negotiation import agreement, extended_negotiation, operations_window
from asyncfind.net.operations import Operations
from asyncfind.net.responses import Responses
from asyncfind.net.transport import Stream, connect
from asyncfind.net.wire import Wire, after
from asyncfind.plan import DEFAULT_SYNTAXES, Limits, Peer, Plan, Query, Quirk, Timeouts
from asyncfind.query.models import Model, model_of
from asyncfind.query.syntax import IMPLICIT_VR_LITTLE_ENDIAN, SYNTAXES, TransferSyntax
from asyncfind.records import Agreement, Find, Secured, Traffic
from asyncfind.ul.find_options import FindOptions
from asyncfind.ul.items import PresentationContextRQ, UserInformation
from asyncfind.ul.pdu import AssociateAC, AssociateRQ

__all__ = ["Association", "associate", "associate_for"]


class Association:
    """An association that we requested (PS3.8 Section 7), open until released or aborted.

    Made by `associate`. One operation at a time: a find that was left early is cancelled before
    the next operation begins. Where the peer agreed to a window of more, as many finds may be
    open, each in a task of its own; a further one waits until one of them ends. All of them are to
    be read: a find whose matches nobody takes holds the others up.

    Attributes:
        peer: whom we talk to.
        connect_seconds, associate_seconds: how long TCP and the association request took.
        agreement: what the peer made of options and window.
        wire, operations: the bytes below, and who they are for; for the operations of this room.
    """

    def __init__(
        self, stream: Stream, peer: Peer, timeouts: Timeouts, limits: Limits, max_pdu_length: int
    ) -> None:
        self.peer = peer
        self.timeouts = timeouts
        self.limits = limits
        self.connect_seconds = 0.0
        self.associate_seconds = 0.0
        self.agreement = Agreement()
        self.wire = Wire(
            stream,
            peer,
            timeouts,
            max_pdu_length=max_pdu_length,
            max_identifier=limits.max_identifier,
        )
        self.operations = Operations(self.wire)
        self._max_pdu_length = max_pdu_length
        self._contexts: dict[str, tuple[int, TransferSyntax]] = {}
        self._finds: dict[int, Responses] = {}
        self._has_asked = False

    # Opening.

    async def request(
        self,
        models: Sequence[str],
        syntaxes: Sequence[TransferSyntax],
        options: FindOptions,
        window: int,
    ) -> None:
        """Request the association (PS3.8 Section 7.1) with one presentation context per SOP class.

        Args:
            models: abstract syntax UIDs.
            syntaxes: transfer syntaxes of each, the preferred one first.
            options: of extended negotiation, asked for where they apply.
            window: operations that we would like to have open at once.

        Raises:
            PeerError: rejected, aborted, lost, timed out, or not DICOM.
        """
        if Quirk.ONE_FIND_PER_ASSOCIATION in self.peer.quirks:
            window = 1
        rq = AssociateRQ(
            called=self.peer.called,
            calling=self.peer.calling,
            contexts=tuple(
                PresentationContextRQ(
                    context_id=2 * index + 1,
                    abstract_syntax=uid,
                    transfer_syntaxes=_proposed(uid, syntaxes),
                )
                for index, uid in enumerate(models)
            ),
            user_information=UserInformation(
                max_length=self._max_pdu_length,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                asynchronous_operations=operations_window(window),
                extended_negotiation=extended_negotiation(models, options),
                user_identity=self.peer.identity,
            ),
        )
        started = time.monotonic()
        accepted = await self.wire.request(rq)
        self.associate_seconds = time.monotonic() - started
        self.agreement = agreement(rq, accepted, options)
        self.operations.window = self.agreement.window
        by_id = {context.context_id: context.abstract_syntax for context in rq.contexts}
        for context in accepted.contexts:
            if context.result == 0:
                syntax = SYNTAXES[context.transfer_syntax]
                self._contexts[by_id[context.context_id]] = (context.context_id, syntax)
        if not self._contexts:
            await self.release()
            self.context_of(models[0])

    # Operations.

    def find(
        self,
        query: Query,
        *,
        find: Find | None = None,
        cancel_after: int | None = None,
        deflate_level: int = 6,
        by: float | None = None,
    ) -> Responses:
        """Ask one C-FIND (PS3.7 Section 9.1.2); nothing is sent before the result is awaited.

        Args:
            find: what the matches are to refer to; made from `query` when None.
            cancel_after: send C-CANCEL-RQ once this many responses have come (PS3.7 9.3.2.3).
            deflate_level: zlib's level where the accepted transfer syntax is deflated.
            by: instant on `time.monotonic` at which it is to be over; `Timeouts.query` after its
                start when None.

        Returns:
            an async iterator of `Match`, to be used in `async with` or to its end.
        """
        if find is None:
            find = Find(self.peer, query, 1, 0)
        return Responses(self, find, cancel_after=cancel_after, deflate_level=deflate_level, by=by)

    async def echo(self) -> int:
        """Send C-ECHO (PS3.7 Section 9.1.5) and return the peer's status.

        Raises:
            PeerError: no context for Verification, or the peer failed.
        """
        context_id, _ = self.context_of(VERIFICATION)
        message_id = await self.begin(None)
        try:
            await self.wire.send(context_id, EchoRQ(message_id=message_id), None)
            return await self._echoed(message_id)
        finally:
            self.end(message_id)

    async def _echoed(self, message_id: int) -> int:
        timeout = self.timeouts.response
        deadline = after(time.monotonic(), timeout)
        while not (messages := self.operations.take(message_id)):
            await self.operations.wait(message_id, deadline)
            if (
                deadline is not None
                and time.monotonic() >= deadline
                and not self.operations.has(message_id)
            ):
                raise PeerTimeout(
                    f"no answer to C-ECHO within {timeout:g} s",
                    "The archive may be busy; -td allows more time.",
                    phase="response",
                    seconds=timeout or 0.0,
                )
        command = messages[0].command
        if not isinstance(command, EchoRSP) or command.message_id != message_id:
            raise await self.operations.violated("a message that is no answer to our C-ECHO")
        return command.status

    async def release(self) -> str:
        """Release the association (PS3.8 Section 7.2) and close the connection.

        Trouble while releasing changes nothing about what was received: it is returned in words
        (empty when all went well), not raised.
        """
        await self.settle()
        return await self.wire.release()

    async def abort(self) -> None:
        """Abort the association (PS3.8 Section 7.3), then close; does nothing once it is gone."""
        await self.operations.abort()

    def take_traffic(self) -> Sequence[Traffic]:
        """What was sent and received since the last call, where that is traced."""
        traffic = self.wire.traffic
        if not traffic:
            return ()
        taken = tuple(traffic)
        traffic.clear()
        return taken

    @property
    def secured(self) -> Secured:
        """How the connection is secured; says nothing for plain TCP."""
        if self.wire.stream.tls is None:
            return Secured()
        from asyncfind.net.tls_report import secured  # only runs with TLS pay for its import

        return secured(self.wire.stream)

    # What an operation in progress needs; `Responses` is the other half of this class.

    @property
    def trouble(self) -> PeerError | None:
        """Why the association ended under us; None while it is usable."""
        return self.wire.trouble

    @property
    def is_aborted_by_us(self) -> bool:
        """It ended because we aborted it, for what one operation on it came to."""
        return self.wire.is_aborted_by_us

    @property
    def accepted(self) -> AssociateAC | None:
        """The peer's A-ASSOCIATE-AC; None before it has come."""
        return self.wire.accepted

    @property
    def is_usable(self) -> bool:
        """Another operation can begin."""
        if self._has_asked and Quirk.ONE_FIND_PER_ASSOCIATION in self.peer.quirks:
            return False
        # With nothing open, whatever has come was not asked for: the end, or nonsense.
        return self.wire.is_open and (self.operations.count > 0 or not self.wire.has_data)

    def context_of(self, uid: str) -> tuple[int, TransferSyntax]:
        """The accepted presentation context id and transfer syntax of SOP class `uid`.

        Raises:
            NoPresentationContext: the peer did not accept it.
        """
        try:
            return self._contexts[uid]
        except KeyError:
            title = "Verification" if uid == VERIFICATION else model_of(uid).title
            raise NoPresentationContext(
                f"the peer does not accept {title} ({uid})",
                "Ask with another information model (-W, -P, -S, -O or --model), "
                "or check what the archive allows this calling AE title.",
            ) from None

    async def begin(self, responses: Responses | None) -> int:
        """Open an operation; returns its message id. One at a time cancels the one before."""
        if self.operations.window == 1:
            await self.settle()
        message_id = await self.operations.open()
        if responses is not None:
            self._finds[message_id] = responses
            self._has_asked = True
        return message_id

    def end(self, message_id: int) -> list[Message]:
        """An operation is over; returns what came for it and was not taken."""
        self._finds.pop(message_id, None)
        return self.operations.close(message_id)

    async def settle(self) -> None:
        """End the finds that were left early."""
        for responses in list(self._finds.values()):
            await responses.aclose()


def associate_for(
    plan: Plan,
    peer: Peer,
    models: Iterable[str | Model] | None = None,
    *,
    timeouts: Timeouts | None = None,
    verification: bool = False,
    async_window: int = 1,
    traffic: list[Traffic] | None = None,
) -> AbstractAsyncContextManager["Association"]:
    """Open an association with a peer of `plan`, as the plan says; see `associate`.

    Args:
        models: None proposes all of the plan.
        timeouts: None takes those of the plan.
    """
    return associate(
        peer,
        plan.models if models is None else models,
        timeouts=timeouts or plan.timeouts,
        limits=plan.limits,
        syntaxes=plan.syntaxes,
        max_pdu_length=plan.max_pdu_length,
        verification=verification,
        abort=plan.abort,
        options=plan.options,
        async_window=async_window,
        traffic=traffic,
    )


@asynccontextmanager
async def associate(
    peer: Peer,
    models: Iterable[str | Model] = ("study",),
    *,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    syntaxes: Sequence[TransferSyntax] = DEFAULT_SYNTAXES,
    max_pdu_length: int = 16384,
    verification: bool = False,
    abort: bool = False,
    options: FindOptions | None = None,
    async_window: int = 1,
    traffic: list[Traffic] | None = None,
) -> AsyncIterator[Association]:
    """Open an association with `peer`; released at the end of the block, aborted on error.

    Args:
        models: information models to propose, by name (`study`, `worklist`, ...) or UID.
        syntaxes: transfer syntaxes to propose, the preferred one first.
        max_pdu_length: the largest P-DATA-TF we take, in bytes (PS3.8 Annex D.1).
        verification: propose Verification (C-ECHO) too.
        abort: end with A-ABORT instead of A-RELEASE.
        options: of extended negotiation, to ask for (PS3.4 Section C.5.1.1).
        async_window: how many finds we would like to have open at once (PS3.7 Annex D.3.3.3).
        traffic: gets every PDU and message, those of an association that does not come about too;
            `Association.take_traffic` takes them out of it. None traces nothing.

    Raises:
        InvalidRequest: an unknown model.
        PeerError: no connection, rejected, aborted, timed out, or not DICOM.
    """
    uids = [VERIFICATION] if verification else []
    uids += [model.uid if isinstance(model, Model) else model_of(model).uid for model in models]
    timeouts = timeouts or Timeouts()
    started = time.monotonic()
    stream = await connect(peer, timeouts.connect, tls_timeout=timeouts.tls)
    association = Association(stream, peer, timeouts, limits or Limits(), max_pdu_length)
    association.connect_seconds = time.monotonic() - started
    association.wire.traffic = traffic
    try:
        await association.request(
            list(dict.fromkeys(uids)), syntaxes, options or FindOptions(), async_window
        )
        yield association
        if abort:
            await association.settle()
        else:
            await association.release()
    finally:
        # Once released there is nothing left to abort.
        await association.abort()


def _proposed(uid: str, syntaxes: Sequence[TransferSyntax]) -> tuple[str, ...]:
    if uid == VERIFICATION:
        return (IMPLICIT_VR_LITTLE_ENDIAN.uid,)
    return tuple(syntax.uid for syntax in syntaxes)
