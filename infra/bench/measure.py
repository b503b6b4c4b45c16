"""One measurement in its own process: `python -m infra.bench.measure STEP SIDE FOLDER N`.

The peak of memory is then that of the step, and the sides share no caches.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from infra.bench.places import Place
from infra.bench.steps import step

ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


class MeasureError(RuntimeError):
    """A step failed."""


def measured(name: str, side: str, place: Place, beside: Path | None) -> dict[str, Any]:
    """Runs one side of a step in a child process. Raises MeasureError with its output.

    `beside` is the folder with the packages of the peers.
    """
    is_peer = side in ("peer", "fast_peer")
    paths = [os.environ.get("PYTHONPATH", ""), str(beside) if is_peer and beside else ""]
    home = {"PREFECT_HOME": str((place.folder / "prefect").resolve())}
    done = subprocess.run(
        [sys.executable, "-m", "infra.bench.measure", name, side, place.folder, str(place.models)],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT, **home, "PYTHONPATH": ":".join(filter(None, paths))},
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        output = (done.stderr or done.stdout)[-2000:]
        raise MeasureError(f"{name}, {side}, {place.models:,} models failed:\n{output}") from None
    return answer


def main(arguments: list[str]) -> int:
    """Measures in this process and prints one line of JSON."""
    name, side, folder, models = arguments
    logging.disable(logging.WARNING)
    place = Place(Path(folder), int(models))
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=place.folder) as scratch:
        work = step(name).sides()[side](place, Path(scratch))
        with suppress(OSError):  # Linux: resets the peak of memory
            Path("/proc/self/clear_refs").write_text("5")
        cpu, begin = _cpu_seconds(), perf_counter()
        detail = work()
        found: dict[str, Any] = {
            "seconds": perf_counter() - begin,
            "cpu_seconds": _cpu_seconds() - cpu,
        }
    found |= {"peak_gb": _peak_gb(), "detail": detail if isinstance(detail, dict) else {}}
    print("\n" + json.dumps(found))
    return 0


def _peak_gb() -> float:
    """Peak of resident memory of the work; ru_maxrss would include the parent process."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
