"""findscu and `asyncfind findscu` side by side: command lines from a seed, every byte compared.

`lines` makes the command lines, `peers` plays archives that behave as no real one would,
`recorder` stands before real ones and keeps what was sent, `compare` runs both and looks.
"""

from differential.compare import Outcome, differences, run_both
from differential.lines import Case, generate
from differential.peers import SCRIPTS, ScriptedPeer
from differential.recorder import Recorder

__all__ = [
    "SCRIPTS",
    "Case",
    "Outcome",
    "Recorder",
    "ScriptedPeer",
    "differences",
    "generate",
    "run_both",
]
