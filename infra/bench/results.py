"""The measurements, one JSON file each, so that an interrupted run can continue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from warehouse.storage.files import write_atomically


@dataclass(frozen=True)
class Results:
    """The measurements below one folder: `<models>/<step>.<side>.<round>.json`."""

    folder: Path

    def path(self, models: int, step: str, side: str, round_: int) -> Path:
        """The file of one measurement."""
        return self.folder / str(models) / f"{step}.{side}.{round_}.json"

    def keep(self, path: Path, found: dict[str, Any]) -> None:
        """Writes one measurement."""
        write_atomically(path, (json.dumps(found, indent=1) + "\n").encode())

    def sizes(self) -> list[int]:
        """Numbers of models that were measured, ascending."""
        return sorted(int(f.name) for f in self.folder.glob("[0-9]*") if f.is_dir())

    def of(self, models: int, step: str, side: str) -> list[dict[str, Any]]:
        """Every round of one side of a step."""
        found = sorted((self.folder / str(models)).glob(f"{step}.{side}.*.json"))
        return [json.loads(path.read_text("utf-8")) for path in found]

    def median(self, models: int, step: str, side: str, what: str = "seconds") -> float | None:
        """The median over the rounds; None if nothing was measured."""
        values = [found[what] for found in self.of(models, step, side)]
        return median(values) if values else None

    def days(self) -> dict[str, Any] | None:
        """The cost of the daily updates of the history."""
        path = self.folder / "days.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None
