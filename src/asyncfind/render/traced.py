"""PDUs and messages as they come and go (-d)."""

from collections.abc import Sequence

from asyncfind.logs.levels import Level
from asyncfind.plan import Plan
from asyncfind.records import Record, Summary, Traffic
from asyncfind.render.renderer import Renderer
from asyncfind.render.report import Messages
from asyncfind.render.transcript import Transcript

__all__ = ["Traced"]


class Traced:
    """Tells of traffic by `messages`, and shows what else there is by `renderer`.

    The values of data sets are shown as well, which is what the option is for.
    """

    def __init__(self, renderer: Renderer, messages: Messages) -> None:
        self._renderer = renderer
        self._messages = messages
        self._transcript = Transcript()

    def begin(self, plan: Plan) -> None:
        """Begin the results; what is shown is patient data, so that is said."""
        self._transcript = Transcript(plan)
        self._messages.say(Level.WARN, ["messages are shown with all their values: patient data."])
        self._renderer.begin(plan)

    def show(self, records: Sequence[Record]) -> Sequence[Record]:
        """Show traffic, then the rest."""
        rest = []
        for record in records:
            if isinstance(record, Traffic):
                self._messages.say(Level.DEBUG, list(self._transcript.lines(record)))
            else:
                rest.append(record)
        return self._renderer.show(rest)

    def end(self, summary: Summary) -> None:
        """End the results."""
        self._renderer.end(summary)
