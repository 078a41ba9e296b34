"""What went wrong, each trouble said once however many queries it hit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from asyncfind.errors import Kind
from asyncfind.plan import Peer, Plan
from asyncfind.records import ExitCode, FindDone, PeerFailed, Record, Summary, Verdict
from asyncfind.render.tally import is_satisfied
from asyncfind.safe import safe

__all__ = ["Troubles", "sentence", "summary_line"]

_SAID_AT_MOST: Final = 50
_LABEL: Final = 60


def sentence(text: str, hint: str = "") -> str:
    """What was seen and what to do, as one line of sentences."""
    text = safe(text).rstrip()
    if text and text[-1] not in ".!?":
        text += "."
    return f"{text} {safe(hint)}".rstrip()


@dataclass(slots=True)
class _Trouble:
    """One trouble of one peer.

    Args:
        queries: hit by it besides the one that was named.
        of_peer: the peer could not be reached, so that none of its queries was asked.
    """

    queries: int
    of_peer: bool


class Troubles:
    """Turns failed peers and queries into lines: the first of each kind now, a count later."""

    def __init__(self) -> None:
        self._several_queries = False
        self._by_words: dict[tuple[Peer, str], _Trouble] = {}
        self._unsaid = 0

    def begin(self, plan: Plan) -> None:
        """A query is named where there is more than one."""
        self._several_queries = len(plan.queries) > 1

    def lines(self, records: Sequence[Record]) -> Iterator[str]:
        """What there is to say about `records` now."""
        for record in records:
            if isinstance(record, PeerFailed):
                if self._is_new(record.peer, record.error, of_peer=True):
                    yield f"{safe(record.peer.node)}: {sentence(record.error, record.hint)}"
            elif isinstance(record, FindDone) and self._is_worth_a_line(record):
                find = record.find
                if self._is_new(find.peer, record.error, of_peer=False):
                    query = f"{safe(find.query.label, _LABEL)}: " if self._several_queries else ""
                    what = sentence(record.error or str(record.verdict), record.hint)
                    yield f"{safe(find.peer.node)}: {query}{what}"

    def rest(self) -> Iterator[str]:
        """What there is to say at the end: how often what was said happened again."""
        for (peer, error), trouble in self._by_words.items():
            if trouble.queries and not trouble.of_peer:
                queries = (
                    "1 more query" if trouble.queries == 1 else f"{trouble.queries} more queries"
                )
                yield f"{safe(peer.node)}: {queries}: {sentence(error)}"
        if self._unsaid:
            yield f"... and {self._unsaid} troubles more."

    @staticmethod
    def _is_worth_a_line(done: FindDone) -> bool:
        # That the user interrupted the run is no news to the user.
        return not is_satisfied(done) and done.kind is not Kind.CANCELLED

    def _is_new(self, peer: Peer, error: str, *, of_peer: bool) -> bool:
        known = self._by_words.get((peer, error))
        if known is not None:
            known.queries += 1
            return False
        if len(self._by_words) >= _SAID_AT_MOST:
            self._unsaid += 1
            return False
        self._by_words[peer, error] = _Trouble(0, of_peer)
        return True


def summary_line(summary: Summary) -> str:
    """The run in one line."""
    matches = "1 match" if summary.matches == 1 else f"{summary.matches:,} matches"
    if summary.peers == 1:
        nodes = "1 node" if summary.reached else "no node"
    elif summary.reached == summary.peers:
        nodes = f"{summary.peers} nodes"
    else:
        nodes = f"{summary.reached} of {summary.peers} nodes"
    line = f"{matches} from {nodes} in {summary.seconds:.1f} s"
    if summary.failed:
        failed = sorted(summary.failed.items())
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in failed)
        count = sum(summary.failed.values())
        line += f"; {count} of {summary.queries} queries not complete: {verdicts}"
    elif suspect := summary.verdicts.get(Verdict.SUSPECT, 0):
        line += f"; {suspect} of {summary.queries} queries suspect"
    elif summary.queries > 1:
        line += f"; all {summary.queries} queries complete"
    if summary.exit is ExitCode.INTERRUPTED:
        line += "; interrupted"
    return line + "."
