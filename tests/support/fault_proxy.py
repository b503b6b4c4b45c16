"""An HTTP proxy on loopback between boto3 and a real S3 server, with planned failures.

It understands requests, so that a fault strikes a chosen one: the third part of a multipart upload,
the put of the pointer. Everything else passes through untouched, signature and all.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

LINE_END = b"\r\n\r\n"


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    head: bytes
    length: int

    @property
    def is_part(self) -> bool:
        return self.method == "PUT" and "partNumber" in self.query

    @property
    def is_pointer(self) -> bool:
        return self.method == "PUT" and self.path.endswith("/latest.json")


Match = Callable[[Request], bool]


@dataclass
class Fault:
    """What happens to the matching requests from number `first` on, `times` of them."""

    kind: str
    match: Match
    first: int = 0
    times: int = 1_000_000
    code: str = "SlowDown"
    status: int = 503
    at_byte: int = 0
    hook: Callable[[], None] | None = None
    seen: int = 0
    struck: list[str] = field(default_factory=list)


class FaultProxy:
    """Listens on a free port of loopback for the duration of the block."""

    def __init__(self, upstream: int, *faults: Fault) -> None:
        self._upstream, self._faults = upstream, faults
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> FaultProxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One request per connection: the response says so, and boto3 opens another."""
        with client:
            try:
                head, rest = _read_head(client)
                if head:
                    self._handle(client, _parse(head), rest)
            except OSError:
                _reset(client)

    def _handle(self, client: socket.socket, request: Request, rest: bytes) -> None:
        if b"100-continue" in request.head.lower():
            client.sendall(b"HTTP/1.1 100 Continue" + LINE_END)
        fault = self._fault_for(request)
        if fault and fault.kind == "reset":
            _receive(client, min(fault.at_byte, request.length) - len(rest))
            _reset(client)
            return
        body = rest + _receive(client, request.length - len(rest))
        if fault and fault.kind == "answer":
            client.sendall(_error(fault))
        elif fault and fault.kind == "stall":
            self._closing.wait(30)
        else:
            if fault and fault.kind == "hook" and fault.hook:
                fault.hook()
            self._pass_on(client, request, body, fault)

    def _fault_for(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.match(request):
                    number, fault.seen = fault.seen, fault.seen + 1
                    if fault.first <= number < fault.first + fault.times:
                        fault.struck.append(f"{request.method} {request.path}")
                        return fault
        return None

    def _pass_on(
        self, client: socket.socket, request: Request, body: bytes, fault: Fault | None
    ) -> None:
        with socket.create_connection(("127.0.0.1", self._upstream), timeout=60) as server:
            server.sendall(_one_request(request.head) + body)
            answer = _head_of_answer(server)
            if fault and fault.kind == "lose":
                while server.recv(1 << 16):
                    pass
                _reset(client)
                return
            client.sendall(answer)
            sent = 0
            while piece := server.recv(1 << 16):
                if fault and fault.kind == "cut" and sent + len(piece) > fault.at_byte:
                    client.sendall(piece[: max(0, fault.at_byte - sent)])
                    _reset(client)
                    return
                client.sendall(piece)
                sent += len(piece)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while LINE_END not in data:
        piece = client.recv(1 << 16)
        if not piece:
            return b"", b""
        data += piece
    head, _, rest = data.partition(LINE_END)
    return head + LINE_END, rest


def _parse(head: bytes) -> Request:
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
    assert "transfer-encoding" not in headers, "boto3 sends lengths over http"
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    return Request(method, parts.path, query, head, int(headers.get("content-length", 0)))


def _one_request(head: bytes) -> bytes:
    lines = head.removesuffix(LINE_END).split(b"\r\n")
    kept = [x for x in lines if not x.lower().startswith((b"expect:", b"connection:"))]
    return b"\r\n".join([*kept, b"Connection: close"]) + LINE_END


def _head_of_answer(server: socket.socket) -> bytes:
    head, rest = _read_head(server)
    return head + rest


def _receive(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(1 << 16, size - len(data)))
        if not piece:
            raise ConnectionResetError
        data += piece
    return bytes(data)


def _reset(sock: socket.socket) -> None:
    """Ends the connection as a crash does, with an RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    time.sleep(0)


def _error(fault: Fault) -> bytes:
    text = (
        f"<Error><Code>{fault.code}</Code><Message>injected by the test</Message></Error>".encode()
    )
    head = (
        f"HTTP/1.1 {fault.status} {fault.code}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close"
    )
    return head.encode() + LINE_END + text
