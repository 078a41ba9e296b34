"""A relay that keeps what a client sends, PDU by PDU."""

import socket
import struct
import threading

__all__ = ["Recorder", "read_pdu", "split_pdus"]


def read_pdu(sock: socket.socket) -> bytes | None:
    """The next PDU; None at the end of the stream."""
    data = b""
    needed = 6
    while len(data) < needed:
        chunk = sock.recv(needed - len(data))
        if not chunk:
            return None
        data += chunk
        if len(data) == 6 and needed == 6:
            needed += struct.unpack(">L", data[2:6])[0]
    return data


def split_pdus(stream: bytes) -> list[bytes]:
    """The PDUs of a stream; what is left at its end is one as well."""
    pdus = []
    pos = 0
    while pos < len(stream):
        end = len(stream)
        if pos + 6 <= end:
            end = min(end, pos + 6 + struct.unpack_from(">L", stream, pos + 2)[0])
        pdus.append(stream[pos:end])
        pos = end
    return pdus


class Recorder:
    """Listens on loopback and passes one connection after the other on to a server.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sent = bytearray()
        self._begun = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take(self) -> list[bytes]:
        """What the client that has just ended sent; nothing where it never connected."""
        if not self._begun.wait(0.2):
            return []
        self._done.wait(10)
        self._begun.clear()
        self._done.clear()
        pdus = split_pdus(bytes(self._sent))
        self._sent.clear()
        return pdus

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._begun.set()
            with client, socket.create_connection(self._target) as server:
                back = threading.Thread(target=self._pass_back, args=(server, client), daemon=True)
                back.start()
                while data := _receive(client):
                    self._sent += data
                    try:
                        server.sendall(data)
                    except OSError:
                        break
                _end(server)
                back.join(10)
            self._done.set()

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        while data := _receive(server):
            try:
                client.sendall(data)
            except OSError:
                break
        _end(client)


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except OSError:
        return b""


def _end(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return
