"""The embedded archive as a server: an SCP on our own upper layer, good by default."""

import ssl
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from asyncfind.net import transport
from asyncfind.scp.answers import Source
from asyncfind.scp.counters import Counters
from asyncfind.scp.find import Archive
from asyncfind.scp.negotiation import CONGESTION, LIMIT, Policy, objection
from asyncfind.scp.script import GOOD, Scripts, always
from asyncfind.scp.session import Pace, Session
from asyncfind.scp.store import TODAY, Store
from asyncfind.ul.pdu import AssociateRJ, AssociateRQ

__all__ = ["ArchiveConfig", "Server", "archive", "serve"]

_GRACE: Final = 5.0


class Server:
    """Accepts associations and answers them from one source.

    Args:
        source: an `Archive`, `Answers`, or anything that answers queries.
        policy: what is accepted.
        pace: how slow it is.
        max_associations: more at a time are rejected; None takes all.
        scripts: how each association misbehaves.
        tls: speak TLS (PS3.15 Annex B); None is plain TCP.

    Attributes:
        counters: what has happened.
    """

    def __init__(
        self,
        source: Source,
        *,
        policy: Policy | None = None,
        pace: Pace | None = None,
        max_associations: int | None = None,
        scripts: Scripts | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.counters = Counters()
        self._source = source
        self._policy = policy or Policy()
        self._pace = pace or Pace()
        self._max_associations = max_associations
        self._scripts = scripts or always(GOOD)
        self._tls = tls
        self._stopping = anyio.Event()

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        grace: float = _GRACE,
        task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until `stop` is called or the task is cancelled; `task_status` gets the port.

        Cancellation aborts every association at once.

        Args:
            grace: seconds that running queries get to end after `stop`.

        Raises:
            OSError: the port cannot be bound.
        """
        try:
            async with anyio.create_task_group() as tasks:
                listen = partial(transport.serve, self._handle, host, port, tls=self._tls)
                task_status.started(await tasks.start(listen))
                await self._stopping.wait()
                with anyio.move_on_after(grace):
                    await self.counters.until(lambda counters: counters.running == 0)
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _only(group) from None

    def stop(self) -> None:
        """End `serve`: no new associations, running queries get a grace, then all are aborted."""
        self._stopping.set()

    async def _handle(self, stream: transport.Stream) -> None:
        self.counters.connections += 1
        self.counters.changed()
        session = Session(
            stream,
            self._source,
            self._gate,
            policy=self._policy,
            pace=self._pace,
            counters=self.counters,
            script=self._scripts(self.counters.connections),
        )
        await session.run()

    def _gate(self, rq: AssociateRQ) -> AssociateRJ | None:
        if rejection := objection(rq, self._policy):
            return rejection
        if self._stopping.is_set():
            return CONGESTION
        limit = self._max_associations
        if limit is not None and self.counters.associations >= limit:
            return LIMIT
        return None


def _only(error: BaseException) -> BaseException:
    """What a task group wrapped, where it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """An embedded archive with invented patients.

    Args:
        aet: AE title; also what Retrieve AE Title says.
        host, port: where to listen; port 0 lets the system choose.
        studies, seed: how many, and which; see `Store.generate`.
        undated: how many of them have neither date nor time.
        worklist: scheduled procedure steps; a twentieth of the studies when None.
        today: the day that the worklist is about.
        delay: seconds before the first response to a query.
        response_delay: seconds between two responses.
        max_associations: more at a time are rejected; None takes all.
        row_limit: matches at which answers are cut, with Success; None gives all.
        check_called: reject those who call another AE title.
        scripts: how each association misbehaves; None behaves well.
        tls: speak TLS (PS3.15 Annex B); None is plain TCP.
    """

    aet: str = "ARCHIVE"
    host: str = "127.0.0.1"
    port: int = 0
    studies: int = 1000
    undated: int = 0
    seed: int = 1
    worklist: int | None = None
    today: date = TODAY
    delay: float = 0.0
    response_delay: float = 0.0
    max_associations: int | None = None
    row_limit: int | None = None
    check_called: bool = False
    scripts: Scripts | None = None
    tls: ssl.SSLContext | None = None


def archive(config: ArchiveConfig, store: Store) -> Server:
    """A server that answers from `store`, for those who need its counters or `stop`."""
    return Server(
        Archive(store, config.aet, config.row_limit),
        policy=Policy(aet=config.aet, check_called=config.check_called),
        pace=Pace(config.delay, config.response_delay),
        max_associations=config.max_associations,
        scripts=config.scripts,
        tls=config.tls,
    )


async def serve(
    config: ArchiveConfig,
    *,
    task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Generate an archive and serve it until cancelled; `task_status` gets the port.

    Raises:
        OSError: the port cannot be bound.
    """

    def generate() -> Store:
        store = Store.generate(
            config.studies, config.seed, worklist=config.worklist, today=config.today
        )
        if config.undated:
            store.forget_dates(config.undated)
        return store

    # In a thread: several archives start at once, and Ctrl-C is heard meanwhile.
    store = await anyio.to_thread.run_sync(generate)
    with store:
        await archive(config, store).serve(config.host, config.port, task_status=task_status)
