"""An S3 server that differs from AWS in one way, as other makers' servers do.

A TLS proxy before a real server. It answers some requests itself, or drops headers and signs again.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.s3 import SeaweedS3
from infra.s3.guard import write_certificate
from infra.s3.server import REGION

Way = Literal[
    "as AWS",
    "ignores conditions",  # Google Cloud Storage, s3rver
    "has no conditions",  # AWS until 2024
    "has no checksums",  # Backblaze
    "has no trailers",  # Google Cloud Storage, Infomaniak
    "rejects one signature",
]
CONDITIONS = {"if-match", "if-none-match"}


class OtherS3:
    """Listens on a free port of loopback for the duration of the block."""

    def __init__(self, server: SeaweedS3, way: Way, folder: Path) -> None:
        self._upstream, self._way = server, way
        self.seen: list[dict[str, str]] = []
        self.certificate = folder / "other.crt"
        key = folder / "other.key"
        write_certificate(self.certificate, key)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> OtherS3:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def refusal(
        self, method: str, path: str, headers: dict[str, str]
    ) -> tuple[int, str, str] | None:
        """Status, code and message, if the server does not pass the request on."""
        if method not in {"PUT", "POST"}:
            return None
        if self._way == "has no checksums" and (sums := _checksums(headers)):
            return 400, "InvalidArgument", f"Unsupported header '{sums[0]}' received"
        if self._way == "has no trailers" and "x-amz-trailer" in headers:
            return 403, "SignatureDoesNotMatch", "Invalid argument."
        if self._way == "has no conditions" and CONDITIONS & set(headers):
            return 501, "NotImplemented", "A header you provided is not implemented"
        if self._way == "rejects one signature" and path.endswith("/b"):
            return 403, "SignatureDoesNotMatch", "Invalid argument."
        return None

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """The real server's answer, to the request signed again."""
        drop = {"authorization", "host", "expect", "connection", "content-length", "user-agent"}
        drop |= CONDITIONS if self._way == "ignores conditions" else set()
        kept = {name: value for name, value in headers.items() if name not in drop}
        state = self._upstream.state
        request = AWSRequest(method, self._upstream.endpoint + path, kept, body)
        S3SigV4Auth(Credentials(state.access_key, state.secret_key), "s3", REGION).add_auth(request)
        upstream = http.client.HTTPConnection("127.0.0.1", state.port, timeout=30)
        upstream.request(method, path, body, dict(request.headers))
        answer = upstream.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        upstream.close()
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        other = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                other.seen.append({"request": f"{self.command} {self.path}", **headers})
                body = self.rfile.read(int(headers.get("content-length", 0)))
                if refused := other.refusal(self.command, self.path, headers):
                    status, code, message = refused
                    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                    self.answer(status, [("Content-Type", "application/xml")], text.encode())
                else:
                    self.answer(*other.pass_on(self.command, self.path, headers, body))

            def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                own = {"content-length", "connection", "transfer-encoding"}
                length = str(len(body))
                for name, value in headers:
                    if name.lower() not in own:
                        self.send_header(name, value)
                    elif name.lower() == "content-length" and self.command == "HEAD":
                        length = value
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815

        return Handler


def _checksums(headers: dict[str, str]) -> list[str]:
    start = ("x-amz-checksum-", "x-amz-sdk-checksum-")
    return [name for name in headers if name.startswith(start) and name != "x-amz-checksum-mode"]
