"""A web server that answers requests for byte ranges, as object storage does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class Ranges(BaseHTTPRequestHandler):
    """Serves a folder: HEAD, and GET of byte ranges, which it records."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, asked: list[str], *args: Any) -> None:
        self.folder, self.asked = folder, asked
        super().__init__(*args)

    @property
    def file(self) -> Path:
        return self.folder / unquote(self.path.partition("?")[0].lstrip("/"))

    def do_HEAD(self) -> None:
        if self.file.is_file():
            self._send(200, b"", self.file.stat().st_size)
        else:
            self._send(404, b"", 0)

    def do_GET(self) -> None:
        if not self.file.is_file():
            self._send(404, b"", 0)
            return
        data, wanted = self.file.read_bytes(), self.headers.get("Range", "")
        self.asked.append(wanted)
        if not wanted:
            self._send(200, data, len(data))
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        part = data[int(first) : int(last or len(data) - 1) + 1]
        self._send(206, part, len(part), f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")

    def _send(self, status: int, body: bytes, length: int, span: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(length))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def ranges(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a folder over HTTP, and the ranges that were asked for."""
    asked: list[str] = []
    handler = partial(Ranges, folder, asked)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def asked_bytes(asked: list[str]) -> int:
    """The sum of the ranges."""
    spans = [span.removeprefix("bytes=").split("-") for span in asked if span]
    return sum(int(last) - int(first) + 1 for first, last in spans)


def python_with(folder: str, code: str, *arguments: object) -> str:
    """The output of a Python with another version of DuckDB."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": folder},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
