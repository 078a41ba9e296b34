"""An acceptor by hand: agrees to the first presentation context, then does as a test says."""

from asyncfind.net.transport import Stream
from asyncfind.ul.items import PresentationContextAC, UserInformation
from asyncfind.ul.pdu import AssociateAC, AssociateRQ
from asyncfind.ul.upper_layer import AssociateRequested, UpperLayer

__all__ = ["accept", "agreement"]


def agreement(rq: AssociateRQ) -> AssociateAC:
    """An A-ASSOCIATE-AC that takes the first context in its first transfer syntax."""
    context = rq.contexts[0]
    accepted = PresentationContextAC(
        context_id=context.context_id, result=0, transfer_syntax=context.transfer_syntaxes[0]
    )
    return AssociateAC(
        called=rq.called,
        calling=rq.calling,
        contexts=(accepted,),
        user_information=UserInformation(implementation_class_uid="1.2.3"),
    )


async def accept(stream: Stream, behind: bytes = b"") -> UpperLayer:
    """Read A-ASSOCIATE-RQ and agree; `behind` goes out in the same write as the answer."""
    upper_layer = UpperLayer(acceptor=True)
    upper_layer.connected(0.0)
    while True:
        for indication in upper_layer.receive_data(await stream.receive(), 0.0):
            assert isinstance(indication, AssociateRequested)
            upper_layer.accept(agreement(indication.rq))
            await stream.send(upper_layer.data_to_send() + behind)
            return upper_layer
