"""The state machine of the upper layer, as the standard's own tables (PS3.8 Section 9.2).

Data only: `ACTIONS` is Table 9-10, `NEXT_STATE` the last column of Tables 9-6 to 9-9. Lay them
beside the standard to review them.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Self

__all__ = ["ACTIONS", "NEXT_STATE", "Action", "Event", "State"]


class State(Enum):
    """States (PS3.8 Tables 9-1 to 9-5).

    Attributes:
        meaning: what the table says of it, for errors.
    """

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        state = object.__new__(cls)
        state._value_ = name
        state.meaning = meaning
        return state

    STA1 = "Sta1", "idle"
    STA2 = "Sta2", "transport connection open; awaiting A-ASSOCIATE-RQ"
    STA3 = "Sta3", "awaiting the local A-ASSOCIATE response primitive"
    STA4 = "Sta4", "awaiting the transport connection to open"
    STA5 = "Sta5", "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ"
    STA6 = "Sta6", "association established, ready for data transfer"
    STA7 = "Sta7", "awaiting A-RELEASE-RP"
    STA8 = "Sta8", "awaiting the local A-RELEASE response primitive"
    STA9 = "Sta9", "release collision, requestor: awaiting the local A-RELEASE response primitive"
    STA10 = "Sta10", "release collision, acceptor: awaiting A-RELEASE-RP"
    STA11 = "Sta11", "release collision, requestor: awaiting A-RELEASE-RP"
    STA12 = "Sta12", "release collision, acceptor: awaiting the local A-RELEASE response primitive"
    STA13 = "Sta13", "awaiting the transport connection to close"


class Event(Enum):
    """Events (PS3.8 Table 9-10, first column)."""

    EVT1 = "Evt1"
    """A-ASSOCIATE request primitive, local."""
    EVT2 = "Evt2"
    """Transport connection confirmed."""
    EVT3 = "Evt3"
    """A-ASSOCIATE-AC received."""
    EVT4 = "Evt4"
    """A-ASSOCIATE-RJ received."""
    EVT5 = "Evt5"
    """Transport connection indicated."""
    EVT6 = "Evt6"
    """A-ASSOCIATE-RQ received."""
    EVT7 = "Evt7"
    """A-ASSOCIATE response primitive, local: accept."""
    EVT8 = "Evt8"
    """A-ASSOCIATE response primitive, local: reject."""
    EVT9 = "Evt9"
    """P-DATA request primitive, local."""
    EVT10 = "Evt10"
    """P-DATA-TF received."""
    EVT11 = "Evt11"
    """A-RELEASE request primitive, local."""
    EVT12 = "Evt12"
    """A-RELEASE-RQ received."""
    EVT13 = "Evt13"
    """A-RELEASE-RP received."""
    EVT14 = "Evt14"
    """A-RELEASE response primitive, local."""
    EVT15 = "Evt15"
    """A-ABORT request primitive, local."""
    EVT16 = "Evt16"
    """A-ABORT received."""
    EVT17 = "Evt17"
    """Transport connection closed."""
    EVT18 = "Evt18"
    """ARTIM timer expired."""
    EVT19 = "Evt19"
    """Unrecognized or invalid PDU received."""


class Action(Enum):
    """Actions (PS3.8 Tables 9-6 to 9-9)."""

    AE_1 = "AE-1"
    """Ask for a transport connection."""
    AE_2 = "AE-2"
    """Send A-ASSOCIATE-RQ."""
    AE_3 = "AE-3"
    """Confirm the association, accepted."""
    AE_4 = "AE-4"
    """Confirm the association, rejected; close the transport connection."""
    AE_5 = "AE-5"
    """Take the transport connection; start ARTIM."""
    AE_6 = "AE-6"
    """Stop ARTIM; indicate the request, or reject it and start ARTIM."""
    AE_7 = "AE-7"
    """Send A-ASSOCIATE-AC."""
    AE_8 = "AE-8"
    """Send A-ASSOCIATE-RJ; start ARTIM."""
    DT_1 = "DT-1"
    """Send P-DATA-TF."""
    DT_2 = "DT-2"
    """Indicate P-DATA."""
    AR_1 = "AR-1"
    """Send A-RELEASE-RQ."""
    AR_2 = "AR-2"
    """Indicate A-RELEASE."""
    AR_3 = "AR-3"
    """Confirm A-RELEASE; close the transport connection."""
    AR_4 = "AR-4"
    """Send A-RELEASE-RP; start ARTIM."""
    AR_5 = "AR-5"
    """Stop ARTIM."""
    AR_6 = "AR-6"
    """Indicate P-DATA while awaiting A-RELEASE-RP."""
    AR_7 = "AR-7"
    """Send P-DATA-TF before the A-RELEASE response."""
    AR_8 = "AR-8"
    """Indicate A-RELEASE, a collision; the next state depends on the role."""
    AR_9 = "AR-9"
    """Send A-RELEASE-RP, requestor of a collision."""
    AR_10 = "AR-10"
    """Confirm A-RELEASE, acceptor of a collision."""
    AA_1 = "AA-1"
    """Send A-ABORT as service user; start or restart ARTIM."""
    AA_2 = "AA-2"
    """Stop ARTIM; close the transport connection."""
    AA_3 = "AA-3"
    """Indicate A-ABORT or A-P-ABORT; close the transport connection."""
    AA_4 = "AA-4"
    """Indicate A-P-ABORT: the transport connection is gone."""
    AA_5 = "AA-5"
    """Stop ARTIM: the transport connection is gone."""
    AA_6 = "AA-6"
    """Ignore the PDU."""
    AA_7 = "AA-7"
    """Send A-ABORT."""
    AA_8 = "AA-8"
    """Send A-ABORT as service provider; indicate A-P-ABORT; start ARTIM."""


_STATES: Final = {state.value: state for state in State}

_TABLE_9_10: Final = """
        Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
 Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
 Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
 Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
 Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
 Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
 Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
 Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
 Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
 Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
 Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
 Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
 Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
 Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
 Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
 Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""


def _parse(table: str) -> dict[tuple[State, Event], Action]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (_STATES[state], Event(event)): Action(cell)
        for event, *cells in rows
        for state, cell in zip(head, cells, strict=True)
        if cell != "."
    }


ACTIONS: Final[Mapping[tuple[State, Event], Action]] = _parse(_TABLE_9_10)
"""What to do on an event (PS3.8 Table 9-10); a pair that is missing is a blank cell."""

_TABLES_9_6_TO_9_9: Final = """
 AE-1  Sta4   AE-2  Sta5   AE-3  Sta6   AE-4  Sta1   AE-5  Sta2   AE-7  Sta6   AE-8  Sta13
 DT-1  Sta6   DT-2  Sta6
 AR-1  Sta7   AR-2  Sta8   AR-3  Sta1   AR-4  Sta13  AR-5  Sta1   AR-6  Sta7   AR-7  Sta8
 AR-9  Sta11  AR-10 Sta12
 AA-1  Sta13  AA-2  Sta1   AA-3  Sta1   AA-4  Sta1   AA-5  Sta1   AA-6  Sta13  AA-7  Sta13
 AA-8  Sta13
"""

NEXT_STATE: Final[Mapping[Action, State]] = {
    Action(action): _STATES[state]
    for words in [_TABLES_9_6_TO_9_9.split()]
    for action, state in zip(words[::2], words[1::2], strict=True)
}
"""The state after an action. AE-6 and AR-8 have two exits each and are not here."""
