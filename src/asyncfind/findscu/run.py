"""One run of findscu: an association, its queries, its log, its exit code."""

from typing import Final

from asyncfind.findscu.association import Association, Rejected, open_stream
from asyncfind.findscu.commands import Response
from asyncfind.findscu.conditions import (
    ABORTED_BY_PEER,
    DCMTLS,
    NO_DICTIONARY,
    NO_VALID_CONTEXT_ID,
    RECEIVE_FAILED,
    RELEASE_REQUESTED,
    SEND_FAILED,
    Bad,
    dcmnet,
)
from asyncfind.findscu.dataset import Words, corrected, encode, filled_in, has_fragments, loaded
from asyncfind.findscu.describe import (
    Parameters,
    describe_request,
    describe_response,
    rejection,
    status_words,
)
from asyncfind.findscu.dump import dump_data_set
from asyncfind.findscu.extract import Extractor
from asyncfind.findscu.files import load
from asyncfind.findscu.fragments import fragment
from asyncfind.findscu.keys import apply_key
from asyncfind.findscu.messages import Channel
from asyncfind.findscu.pdus import encode_rq
from asyncfind.findscu.settings import Settings
from asyncfind.findscu.voice import APP, DATA, NET, RESPONSES, TLS, Voice
from asyncfind.logs.levels import Level
from asyncfind.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from asyncfind.plan import Peer
from asyncfind.query.dcmtk_files import Loaded
from asyncfind.query.element import Item
from asyncfind.query.syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

__all__ = ["EXIT_NETWORK", "EXIT_SUCCESS", "run"]

EXIT_SUCCESS: Final = 0
EXIT_NETWORK: Final = 2
_PENDING: Final = (0xFF00, 0xFF01)
_RULE: Final = "-" * 27
_WARNING: Final = "DIMSE Warning: ({calling},{called}): "


async def run(settings: Settings, loaded: Loaded, peer: Peer) -> int:
    """Perform the queries of a command line; returns findscu's exit code.

    Args:
        loaded: the data dictionary.
        peer: host and port, and how to speak TLS with it.
    """
    return await _Run(settings, loaded, peer).main()


class _Run:
    def __init__(self, settings: Settings, loaded: Loaded, peer: Peer) -> None:
        self._settings = settings
        self._loaded = loaded
        self._peer = peer
        self._words = Words(loaded.dictionary)
        logs = settings.logs
        self._app, self._net = Voice(logs, APP), Voice(logs, NET)
        self._data, self._responses = Voice(logs, DATA), Voice(logs, RESPONSES)
        self._extractor = Extractor(settings, self._words, self._net, self._data)
        self._count = 0
        self._message_id = 0
        self._max_pdu = settings.max_pdu & ~1
        self._warning = _WARNING.format(calling=settings.calling, called=settings.called)

    async def main(self) -> int:
        settings = self._settings
        if settings.extract == "single" and not settings.extract_file:
            self._net.error("Cannot create response file with empty filename")
            return EXIT_NETWORK
        if settings.max_pdu % 2:
            text = f"PDV receive length {settings.max_pdu} is odd (using {self._max_pdu})"
            self._net.warn(f"ASSOC: {text}")
        syntaxes = [syntax.uid for syntax in settings.syntaxes]
        parameters = Parameters(
            calling=settings.calling[:16],
            called=settings.called[:16],
            max_pdu=self._max_pdu,
            abstract_syntax=settings.model.uid,
            transfer_syntaxes=syntaxes,
            class_uid=IMPLEMENTATION_CLASS_UID,
            version_name=IMPLEMENTATION_VERSION_NAME,
        )
        self._net.debug("Request Parameters:\n" + parameters.requested())
        self._net.info("Requesting Association")
        try:
            association = await self._associate(syntaxes)
        except Rejected as answer:
            complaints, text = rejection(answer.result, answer.source, answer.reason)
            for complaint in complaints:
                self._net.error(complaint)
            self._net.error("Association Rejected:\n" + text)
            return EXIT_NETWORK
        except Bad as bad:
            self._net.error("Association Request Failed: " + bad.condition.dump())
            return EXIT_NETWORK
        try:
            return await self._use(association, parameters)
        finally:
            await association.close()

    async def _associate(self, syntaxes: list[str]) -> Association:
        settings = self._settings
        try:
            stream = await open_stream(self._peer, settings.connect_timeout)
        except Bad as bad:
            if bad.condition.module == DCMTLS:
                self._tell_timeouts()  # TCP was there
            raise
        self._tell_timeouts()
        if stream.tls is not None:
            from asyncfind.findscu.secure import tell_connection

            tell_connection(stream, Voice(self._settings.logs, TLS))
        seconds = settings.socket_timeout
        association = Association(
            stream,
            self._net,
            acse_timeout=settings.acse_timeout,
            socket_timeout=seconds if seconds > 0 else None,
            max_pdu=self._max_pdu,
        )
        try:
            self._check_titles()
            await association.request(self._request(syntaxes))
        except BaseException:
            await association.close()
            raise
        return association

    def _check_titles(self) -> None:
        """Look once TCP is there at what findscu checks of AE titles: that they are not empty."""
        for title, name in ((self._settings.called, "Called"), (self._settings.calling, "Calling")):
            if not title:
                text = f"Illegal service parameter: {name} AP Title"
                self._net.error(text)
                raise Bad(dcmnet(0x30C, text))

    def _request(self, syntaxes: list[str]) -> bytes:
        settings = self._settings
        return encode_rq(
            called=settings.called,
            calling=settings.calling,
            abstract_syntax=settings.model.uid,
            transfer_syntaxes=syntaxes,
            max_length=self._max_pdu,
            class_uid=IMPLEMENTATION_CLASS_UID,
            version_name=IMPLEMENTATION_VERSION_NAME,
        )

    def _tell_timeouts(self) -> None:
        seconds = self._settings.socket_timeout
        if seconds >= 0:
            shown = f"{seconds} seconds" if seconds else "0 (infinite)"
            self._net.debug(f"setting network send timeout to {shown}")
            self._net.debug(f"setting network receive timeout to {shown}")

    async def _use(self, association: Association, parameters: Parameters) -> int:
        channel = Channel(
            association,
            self._net,
            self._data,
            self._words,
            warning=self._warning,
            dimse_timeout=self._settings.dimse_timeout,
            correction=self._settings.correction,
        )
        negotiated = parameters.accepted(association.accepted)
        self._net.debug("Association Parameters Negotiated:\n" + negotiated)
        if not channel.is_accepted:
            self._net.error("No Acceptable Presentation Contexts")
            return EXIT_NETWORK
        self._net.info(f"Association Accepted (Max Send PDV: {channel.pdv_length})")
        self._extractor.open()
        trouble: Bad | None = None
        try:
            for file in self._settings.files or (None,):
                await self._query(channel, file)
        except Bad as bad:
            trouble = bad
        finally:
            self._extractor.close()
        return await self._end(association, trouble)

    async def _end(self, association: Association, trouble: Bad | None) -> int:
        """Tear the association down in the way that what happened on it asks for."""
        if trouble is None and not self._settings.abort:
            self._net.info("Releasing Association")
            try:
                await association.release()
            except Bad as bad:
                self._net.error("Association Release Failed: " + bad.condition.dump())
                return EXIT_NETWORK
            return EXIT_SUCCESS
        if trouble is not None and trouble.condition == ABORTED_BY_PEER:
            self._net.info("Peer Aborted Association")
            return EXIT_SUCCESS
        if trouble is not None and trouble.condition == RELEASE_REQUESTED:
            self._net.error("Protocol Error: Peer requested release (Aborting)")
        elif trouble is not None:
            self._net.error("Find SCU Failed: " + trouble.condition.dump())
        self._net.info("Aborting Association")
        try:
            await association.abort()
        except Bad as bad:
            self._net.error("Association Abort Failed: " + bad.condition.dump())
            return EXIT_NETWORK
        return EXIT_SUCCESS

    # Queries.

    async def _query(self, channel: Channel, file: str | None) -> None:
        """Send one file's query as often as it is to be repeated."""
        item, syntax_name = Item(), EXPLICIT_VR_LITTLE_ENDIAN.name
        if file is not None:
            try:
                item, syntax = load(
                    file, self._words, self._data, correction=self._settings.correction
                )
                syntax_name = syntax.name
            except Bad as bad:
                self._net.error(f"Bad DICOM file: {file}: {bad.condition.text}")
                raise
        for key in self._settings.keys:
            try:
                apply_key(item, key, self._words, self._data)
            except Bad:
                self._net.error(f"Bad override key/path: {key}")
                raise
        if not channel.has_context:
            self._net.error("No Presentation Context")
            raise Bad(NO_VALID_CONTEXT_ID)
        query = _Query(item, syntax_name)
        for _ in range(self._settings.repeat):
            await self._find(channel, query, file)

    async def _find(self, channel: Channel, query: "_Query", file: str | None) -> None:
        self._message_id = message_id = self._message_id % 0xFFFF + 1
        if self._net.has(Level.DEBUG):
            self._net.info("Sending Find Request")
            self._net.debug(describe_request(message_id, self._settings.model.uid))
        else:
            self._net.info(f"Sending Find Request (MsgID {message_id})")
        if self._net.has(Level.INFO):
            self._net.info("Request Identifiers:\n" + self._dump(query.item, query.syntax_name))
            query.item = loaded(query.item)
        try:
            await self._send(channel, query, message_id)
            response = await self._receive_all(channel, message_id)
        except Bad as bad:
            self._tell_failure(query, file)
            self._net.error(bad.condition.dump())
            self._tell_detail(bad.detail)
            raise
        if self._net.has(Level.DEBUG):
            self._net.info("Received Final Find Response")
            self._net.debug(_describe(response))
        else:
            words = status_words(response.status)
            self._net.info(f"Received Final Find Response ({words})")
        self._tell_detail(response.detail)

    def _tell_detail(self, detail: Item | None) -> None:
        if detail is not None:
            self._net.debug("Status Detail:\n" + self._dump(detail, "Little Endian Implicit"))

    async def _send(self, channel: Channel, query: "_Query", message_id: int) -> None:
        settings = self._settings
        if not self._loaded.is_loaded:
            raise Bad(NO_DICTIONARY)
        if not query.item.elements:
            self._net.warn(f"{self._warning}sendMessage: dataset is empty")
            raise Bad(SEND_FAILED)
        syntax = channel.syntax
        if syntax is None:
            text = f"DIMSE Unsupported transfer syntax: {channel.syntax_uid}"
            raise Bad(dcmnet(RECEIVE_FAILED.code, RECEIVE_FAILED.text, dcmnet(0x212, text)))
        if has_fragments(query.item):
            self._net.warn(
                f"{self._warning}sendMessage: unable to convert dataset from "
                f"'{query.syntax_name}' transfer syntax to '{syntax.name}'"
            )
            raise Bad(SEND_FAILED)
        if settings.correction:
            query.item = corrected(query.item)
        identifier = encode(
            query.item,
            syntax,
            self._data,
            new_vr=settings.new_vr,
            deflate_level=settings.deflate_level,
        )
        fragments = fragment(identifier, syntax, channel.pdv_length)
        await channel.send_find(message_id, settings.model.uid, fragments)
        query.was_sent(syntax)

    async def _receive_all(self, channel: Channel, message_id: int) -> Response:
        """Receive responses up to the final one, which is returned."""
        while True:
            response = await channel.receive_response(message_id)
            self._count += 1
            if response.status not in _PENDING:
                self._check_final(response)
                return response
            if response.detail is not None:
                text = "findUser: Pending with statusDetail, ignoring detail"
                self._net.warn(self._warning + text)
            if not response.has_data_set:
                text = "findUser: Status Pending, but DataSetType==NULL"
                self._net.warn(self._warning + text)
                self._net.warn(f"{self._warning}  Assuming response identifiers are present")
            item, syntax = await channel.receive_identifier()
            was_shown = self._show(response, item, syntax or EXPLICIT_VR_LITTLE_ENDIAN)
            self._extractor.extract(item, syntax, self._count, was_shown=was_shown)
            if self._settings.cancel_after == self._count:
                self._net.info(f"Sending Cancel Request (MsgID {message_id}, PresID 1)")
                await channel.send_cancel(message_id)

    def _check_final(self, response: Response) -> None:
        if response.has_data_set:
            words = "Success" if response.status == 0 else status_words(response.status)
            self._net.warn(f"{self._warning}findUser: Status {words}, but DataSetType!=NULL")
            text = "Assuming no response identifiers are present"
            self._net.warn(self._warning + text)

    # The log.

    def _show(self, response: Response, item: Item, syntax: TransferSyntax) -> bool:
        """Log a response; returns whether the data set was a part of that."""
        if self._net.has(Level.DEBUG):
            self._net.info(f"Received Find Response {self._count}")
            self._net.debug(_describe(response))
            if self._responses.has(Level.INFO):
                self._net.debug("Response Identifiers:\n" + self._dump(item, syntax.name))
        elif self._responses.has(Level.INFO):
            self._responses.info(_RULE)
            words = status_words(response.status)
            self._responses.info(f"Find Response: {self._count} ({words})")
            self._responses.info(self._dump(item, syntax.name))
        else:
            words = status_words(response.status)
            self._net.info(f"Received Find Response {self._count} ({words})")
        return self._responses.has(Level.INFO)

    def _tell_failure(self, query: "_Query", file: str | None) -> None:
        if file is not None:
            self._net.error(f"Find Failed, file: {file}:")
            return
        self._net.error("Find Failed, query keys:")
        head = (
            "\n# Dicom-File-Format\n\n# Dicom-Meta-Information-Header\n"
            "# Used TransferSyntax: Little Endian Explicit\n"
        )
        self._net.error(head + self._dump(query.item, query.syntax_name))

    def _dump(self, item: Item, syntax_name: str) -> str:
        return dump_data_set(item, syntax_name, self._words, strip=self._settings.correction)


class _Query:
    """A query's data set in memory.

    Attributes:
        syntax_name: the transfer syntax it is in: the file's, and once it was sent the
            negotiated one.
    """

    def __init__(self, item: Item, syntax_name: str) -> None:
        self.item = item
        self.syntax_name = syntax_name

    def was_sent(self, syntax: TransferSyntax) -> None:
        """Writing pads values and fills in lengths."""
        self.item = loaded(filled_in(self.item, syntax))
        self.syntax_name = syntax.name


def _describe(response: Response) -> str:
    return describe_response(
        response.message_id, response.sop_class, response.has_data_set, response.status
    )
