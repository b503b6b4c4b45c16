"""The server in the foreground, for a container; only S3 is reachable from outside.

SeaweedFS binds all its services to one address, and its filer accepts unsigned requests. So it
listens only on loopback, and one port is forwarded to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from infra.s3.ports import S3ServerError, free_ports
from infra.s3.server import SeaweedS3, State

CHUNK = 1 << 16


def serve(folder: Path, bind: str, port: int, bucket: str | None) -> None:
    """Runs until it is stopped. Keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

    Raises S3ServerError if a key is missing or the server does not start.
    """
    server = SeaweedS3(folder)
    server.make_folder()
    server.remember(_state(server))
    with server:
        if bucket:
            server.create_bucket(bucket)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what `docker stop` sends
        with suppress(KeyboardInterrupt):
            asyncio.run(_forward(bind, port, server.state.port))


def _state(server: SeaweedS3) -> State:
    try:
        keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    except KeyError as error:
        raise S3ServerError(f"{error.args[0]} is not set; set it to a key for the server") from None
    return State(None, free_ports(), *keys)


async def _forward(bind: str, port: int, inner: int) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inside = await asyncio.open_connection("127.0.0.1", inner)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, inside[1]), _pump(inside[0], writer))

    async with await asyncio.start_server(one, bind, port) as listening:
        await listening.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
