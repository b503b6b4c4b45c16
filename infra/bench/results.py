"""What was measured: one small JSON file a measurement, so that a run can be taken up again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Results:
    """The measurements below one folder: `<models>/<step>.<side>.<round>.json`."""

    folder: Path

    def path(self, models: int, step: str, side: str, round_: int) -> Path:
        """Where one measurement is kept."""
        return self.folder / str(models) / f"{step}.{side}.{round_}.json"

    def keep(self, path: Path, found: dict[str, Any]) -> None:
        """Writes one measurement, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        part.replace(path)

    def sizes(self) -> list[int]:
        """Numbers of models that were measured, ascending."""
        return sorted(int(f.name) for f in self.folder.glob("[0-9]*") if f.is_dir())

    def of(self, models: int, step: str, side: str) -> list[dict[str, Any]]:
        """Every round of one side of a step."""
        found = sorted((self.folder / str(models)).glob(f"{step}.{side}.*.json"))
        return [json.loads(path.read_text("utf-8")) for path in found]

    def median(self, models: int, step: str, side: str, what: str = "seconds") -> float | None:
        """The median over the rounds; None where nothing was measured."""
        values = [found[what] for found in self.of(models, step, side)]
        return median(values) if values else None

    def peer_seconds(self, models: int, step: str) -> tuple[float, int] | None:
        """The peer's seconds and the size at which they were measured.

        Where this size was not measured, the largest smaller one, times the ratio of the sizes.
        """
        for size in reversed([s for s in self.sizes() if s <= models]):
            if (seconds := self.median(size, step, "peer")) is not None:
                return seconds * models / size, size
        return None

    def days(self) -> dict[str, Any] | None:
        """What a day's update of the history cost, day by day."""
        path = self.folder / "days.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None
