"""`python -m tests.standin FOLDER`: serve recordings until stopped."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from tests.standin.faults import read_plan
from tests.standin.hub import SERVER_MAXIMUM
from tests.standin.server import StandIn
from tests.standin.web import RecordingError


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.standin",
        description="Answer as the Hub, LMArena, GitHub, Epoch and AI Index do, from recordings. "
        "Prints the address, then the settings that point `observatory run` at it.",
    )
    option = parser.add_argument
    option("folder", type=Path, help="folder of recordings")
    option("--port", type=int, default=0, help="0 (default): any free port")
    option("--hub-date", metavar="DAY", help="recorded Hub day; default: the newest")
    option("--epoch-date", metavar="DAY", help="newest Epoch files up to this day")
    option("--trending-at", metavar="TIME", help="newest trending up to a day or UTC minute")
    option("--page-size", type=_positive, default=SERVER_MAXIMUM, help="rows a listing page")
    option("--quota", type=_positive, default=100_000, help="requests a bucket and window")
    option("--window", type=_positive, default=300, help="seconds of a rate-limit window")
    option("--log", type=Path, metavar="FILE", help="append every request as a JSON line")
    option("--pages", type=Path, metavar="DIR", help="serve the listing from pages in DIR")
    option(
        "--faults", metavar="JSON", help='plan of faults, text or file: {"rate": 0.1, "seed": 7}'
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT (exit code 0); 2 if the arguments are wrong."""
    options = vars(_arguments().parse_args(argv))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        options["faults"] = options["faults"] and read_plan(options["faults"])
        with StandIn(options.pop("folder"), **options) as standin:
            exports = [f"export {k}={shlex.quote(v)}" for k, v in standin.exports.items()]
            print(standin.url, *exports, sep="\n", flush=True)
            stop.wait()
    except RecordingError as error:
        print(f"tests.standin: {error}", file=sys.stderr)
        return 2
    except (OSError, OverflowError) as error:
        print(f"tests.standin: cannot start on port {options['port']}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
