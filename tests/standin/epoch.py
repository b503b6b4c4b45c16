"""Epoch AI's download addresses: single CSV files and the two zips made of them."""

from __future__ import annotations

from pathlib import Path

from tests.standin.web import (
    Answer,
    Call,
    RecordingError,
    RefusalError,
    day_folders,
    digest,
    file_answer,
    http_date,
    is_day,
    span,
    stable_zip,
)


def _in_benchmark_data(name: str) -> bool:
    return name in ("epoch_capabilities_index.csv", "model_versions.csv", "organizations.csv")


def _in_ai_models(name: str) -> bool:
    return name.endswith("_ai_models.csv")


ZIPS = {"benchmark_data.zip": _in_benchmark_data, "ai_models.zip": _in_ai_models}


class Epoch:
    """The newest recorded vintage of each file name, at or before a date."""

    def __init__(self, folder: Path, until: str | None = None) -> None:
        days = day_folders(folder)
        if until is not None and not is_day(until):
            raise RecordingError(f"the Epoch date {until!r} is not a day YYYY-MM-DD")
        if until is not None and not any(day <= until for day in days):
            raise RecordingError(f"no Epoch file by {until} in {folder}; recorded: {span(days)}")
        self.files: dict[str, tuple[str, Path]] = {}
        for day, path in days.items():
            if until is None or day <= until:
                self.files |= {file.name: (day, file) for file in sorted(path.glob("*.csv"))}

    def answer(self, call: Call, below: tuple[str, ...]) -> Answer:
        """/data/epochdb/NAME.csv, /data/NAME.csv and the zips; 404 for other paths."""
        match below:
            case ("epochdb", name) | (name,) if name in self.files:
                day, path = self.files[name]
                return _download(call, path.read_bytes(), "text/csv; charset=utf-8", day)
            case (name,) if name in ZIPS:
                return self._zip(call, name)
        raise RefusalError(404, f"No such Epoch file; recorded: {span(self.files)}")

    def _zip(self, call: Call, name: str) -> Answer:
        members = {file: kept for file, kept in self.files.items() if ZIPS[name](file)}
        if not members:
            raise RefusalError(404, f"None of the files of {name} is recorded")
        body = stable_zip({file: path.read_bytes() for file, (_, path) in members.items()})
        return _download(call, body, "application/zip", max(day for day, _ in members.values()))


def _download(call: Call, body: bytes, content_type: str, day: str) -> Answer:
    headers = {"Content-Type": content_type, "Last-Modified": http_date(day)}
    return file_answer(call, body, digest(body), headers)
