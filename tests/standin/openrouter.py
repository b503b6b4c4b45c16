"""OpenRouter's daily rankings: recorded days, by key and range as the API answers them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tests.standin.web import Answer, Call, RefusalError, is_day, json_answer

KEY = "sk-or-stand-in"  # the only key that the stand-in accepts
LONGEST = 366  # days
_NAME = "rankings-daily_*.json"


class Rankings:
    """One file per recorded day. The API's row `other` and `meta.as_of` were not recorded."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob(_NAME)) if folder.is_dir() else []
        self.days = {path.stem.partition("_")[2]: path for path in files}
        self._recorded_at = _recorded_at(folder / "origins.csv")

    def exports(self, url: str) -> dict[str, str]:
        """The settings that point a run at the stand-in."""
        return {"OBSERVATORY_OPENROUTER_URL": url, "OPENROUTER_API_KEY": KEY}

    def answer(self, call: Call, below: tuple[str, ...]) -> Answer:
        """/api/v1/datasets/rankings-daily?start_date=DAY&end_date=DAY, both included."""
        if below != ("datasets", "rankings-daily"):
            raise RefusalError(404, "Not Found")
        if call.headers.get("authorization") != f"Bearer {KEY}":
            raise RefusalError(401, "No auth credentials found")
        first, last = call.value("start_date") or "", call.value("end_date") or ""
        _check(first, last)
        days = [day for day in self.days if first <= day <= last]
        rows = [row for day in days for row in self._rows(day)]
        meta = {"start_date": first, "end_date": last, "version": "v1"}
        if at := max((self._recorded_at[d] for d in days if d in self._recorded_at), default=None):
            meta["as_of"] = at
        return json_answer({"data": rows, "meta": meta})

    def _rows(self, day: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.days[day].read_text("utf-8"))["data"]
        return rows


def _check(first: str, last: str) -> None:
    if not is_day(first) or not is_day(last) or first > last:
        raise RefusalError(400, "start_date and end_date must be days, in order")
    if (date.fromisoformat(last) - date.fromisoformat(first)).days >= LONGEST:
        raise RefusalError(400, f"The range must not exceed {LONGEST} days")
    if last >= datetime.now(UTC).date().isoformat():
        raise RefusalError(400, "Today is not complete yet")


def _recorded_at(path: Path) -> dict[str, str]:
    """When the recorder read each day."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["date"]: row["recorder_fetched_at"] for row in csv.DictReader(lines)}
