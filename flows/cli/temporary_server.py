"""`python -m flows.cli.temporary_server`: Prefect's API on loopback while its parent lives.

Prints its port. It ends at the end of its standard input, which the system closes when the parent
ends in any way, also by SIGKILL. Signals do not end it: a terminal, systemd and `docker stop` send
them to the parent too, which needs the server until its own end.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from threading import Thread

END_SECONDS = 5  # for open connections


def main() -> None:
    """Serves until the end of standard input."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    import uvicorn  # noqa: PLC0415  after the port: the parent waits for it

    server = uvicorn.Server(
        uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="error")
    )
    serving = Thread(target=_serve, args=(server, listening), daemon=True)
    serving.start()
    while sys.stdin.buffer.read(1):
        pass
    server.should_exit = True
    serving.join(END_SECONDS)
    os._exit(0)


def _serve(server: object, listening: socket.socket) -> None:
    """Serves in a thread, where uvicorn does not take over the signals."""
    try:
        server.run(sockets=[listening])  # type: ignore[attr-defined]
    except BaseException:
        traceback.print_exc()  # its last line is in the parent's error
        raise
    finally:
        sys.stderr.flush()
        os._exit(0 if server.should_exit and server.started else 3)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
