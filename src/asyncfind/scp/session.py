"""One association that we accepted, in one coroutine: C-FIND, C-CANCEL, C-ECHO, release.

The same upper layer and DIMSE as the requestor's, the other way round. Responses go out in
batches, one write for many, and wait when the peer does not read.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.lowlevel

from asyncfind.dimse.command import (
    CancelRQ,
    EchoRQ,
    EchoRSP,
    FindRQ,
    FindRSP,
    encode_command,
)
from asyncfind.dimse.message import Assembler, Message, fragment
from asyncfind.errors import PeerError
from asyncfind.net.transport import Stream
from asyncfind.query.syntax import SYNTAXES, TransferSyntax
from asyncfind.scp import script
from asyncfind.scp.answers import Source
from asyncfind.scp.negotiation import Negotiated, Policy, negotiate
from asyncfind.scp.script import Moment, Script
from asyncfind.scp.search import QueryRefused
from asyncfind.ul.pdu import PDV, AssociateRJ, AssociateRQ
from asyncfind.ul.upper_layer import (
    AssociateRequested,
    DataReceived,
    Indication,
    ReleaseRequested,
    UpperLayer,
)
