"""A headless Chromium, driven over its DevTools protocol, for tests of the page."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-sandbox",  # CI runs as root; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
PORT_FILE = "DevToolsActivePort"  # the browser writes its port and path there
READY = "document.documentElement.dataset.ready === 'true'"


def chromium() -> str | None:
    """The browser of this machine, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page of the browser; its requests, messages and blocked requests are recorded."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._id = socket, 0
        self.requests: list[str] = []
        self.complaints: list[str] = []  # console errors, exceptions, policy violations
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its response; events in between are stored."""
        self._id += 1
        self._socket.send(json.dumps({"id": self._id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._id:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
            self._keep(message.get("method", ""), message.get("params", {}))

    def _keep(self, event: str, params: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(params["args"]))

    def open(self, url: str, ready: str = READY) -> None:
        """Goes to an address and waits until the page has drawn."""
        self.requests, self.complaints = [], []
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 60
        while not self.run(f"document.readyState === 'complete' && ({ready})"):
            self.run("dispatchEvent(new Event('scroll'))")  # the charts wait for a reader
            assert time.monotonic() < deadline, f"{url} did not become ready: {self.complaints}"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}"
        return done["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """One key, down and up."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = {"type": "keyDown" if text else "rawKeyDown", "text": text}
        self.call("Input.dispatchKeyEvent", **about, **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def size(self, width: int, height: int = 900) -> None:
        """Sets the window size, for a phone or a desktop."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def media(self, **features: str) -> None:
        """Emulates media features, e.g. prefers_color_scheme="dark"."""
        wanted = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=wanted)

    def picture(self, path: Path, whole: bool = True) -> None:
        """A screenshot, of the whole page or of the window."""
        done = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(done["data"]))


@contextmanager
def browsing(profile: Path) -> Iterator[Tab]:
    """A browser of its own with one tab; `profile` is an empty folder."""
    binary = chromium()
    assert binary, "no chromium"
    home = {**os.environ, "HOME": str(profile), "XDG_CONFIG_HOME": str(profile)}
    process = subprocess.Popen(
        [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=home,
    )
    try:
        with connect(_address(profile, process), max_size=None, proxy=None) as socket:
            yield _attached(socket)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the browser; it writes port and path into its profile."""
    port_file, deadline = profile / PORT_FILE, time.monotonic() + 60
    while not port_file.exists() or len(port_file.read_text().split()) < 2:
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        assert time.monotonic() < deadline, "chromium did not start in a minute"
        time.sleep(0.05)
    port, path = port_file.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"


def debugging_port(profile: Path) -> int:
    """The port on which other programs can drive a running browser."""
    return int((profile / PORT_FILE).read_text().split()[0])


def _attached(socket: ClientConnection) -> Tab:
    """The first tab, in a session of its own over the browser's socket."""
    return Tab(_Session(socket))  # type: ignore[arg-type]


class _Session:
    """The browser's socket as that of one tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._socket.send(json.dumps({"id": 0, "method": method, "params": params}))
        while (message := json.loads(self._socket.recv(timeout=60))).get("id") != 0:
            pass
        return dict(message["result"])

    def send(self, text: str) -> None:
        self._socket.send(json.dumps({**json.loads(text), **self._session}))

    def recv(self, timeout: float) -> str | bytes:
        return self._socket.recv(timeout=timeout)
