"""`python -m infra.s3 start|stop|status|env|bucket NAME|serve --dir DIR`: a local S3 server."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from infra.s3.ports import S3ServerError
from infra.s3.serve import serve
from infra.s3.server import SeaweedS3
from warehouse.storage.loopback import bypass_proxies


def main() -> int:
    """Runs one command. Returns 0, or 1 if the server is not running or did not start."""
    arguments = _parser().parse_args()
    bypass_proxies()
    try:
        if arguments.command == "serve":
            serve(Path(arguments.dir), arguments.bind, arguments.port or 8333, arguments.bucket)
            return 0
        server = SeaweedS3(arguments.dir, port=arguments.port, die_with_parent=False)
        return _run(server, arguments)
    except S3ServerError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.s3", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", default=".s3dev", help="folder for data, keys and log")
    common.add_argument("--port", type=int, help="first of five ports (default: free ones)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("start", "start the server if it is not running"),
        ("stop", "stop it; data, port and keys are kept"),
        ("status", "show whether it is running"),
        ("env", "print export lines that configure AWS clients for it"),
        ("bucket", "create a bucket if it does not exist"),
        ("serve", "run in the foreground, for a container, with keys from AWS_* variables"),
    ):
        command = commands.add_parser(name, parents=[common], help=text)
        if name == "bucket":
            command.add_argument("name")
        if name == "serve":
            command.add_argument("--bind", default="127.0.0.1", help="address to listen on")
            command.add_argument("--bucket", help="create this bucket if it does not exist")
    return parser


def _run(server: SeaweedS3, arguments: argparse.Namespace) -> int:
    if arguments.command == "start":
        return _start(server)
    if arguments.command == "stop":
        print("stopped" if server.stop() else "not running")
        return 0
    if not server.is_running:
        print("not running", file=sys.stderr)
        return 1
    if arguments.command == "status":
        print(f"running at {server.endpoint} (pid {server.state.pid})")
    elif arguments.command == "env":
        for name, value in server.env.items():
            print(f"export {name}={shlex.quote(value)}")
    else:
        made = server.create_bucket(arguments.name)
        print(f"bucket {arguments.name} {'created' if made else 'exists already'}")
    return 0


def _start(server: SeaweedS3) -> int:
    began = time.monotonic()
    server.start()
    took = time.monotonic() - began
    print(f"S3 ready at {server.endpoint} in {took:.1f} s (pid {server.state.pid})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
