"""The inputs that the fuzz starts from: small snapshots of every source, as bytes as received."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from flows.sources.hub.page import page_of
from warehouse.ai_index.figures import figures
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import SIDECAR, ArchivedFile, Snapshot
from warehouse.contracts.source import card
from warehouse.storage.files import sha256

SEEN = datetime(2026, 8, 15, 12, tzinfo=UTC)
DAY = date(2026, 8, 15)
COMMIT = "94c86e095ece" + "0" * 28
ROWS = 25  # records that are kept of each file: what is wrong with one is wrong with a thousand


@dataclass(frozen=True)
class Input:
    """The files of one snapshot: name -> bytes, with the address that the sidecar gives."""

    source: str
    files: Mapping[str, bytes]
    slot: str | None = None
    url: str = f"https://example.org/{COMMIT}/file"

    def with_file(self, name: str, data: bytes) -> Input:
        """The same with other bytes for one file."""
        return replace(self, files={**self.files, name: data})

    def seal(self, root: Path) -> tuple[Archive, Snapshot]:
        """Writes the snapshot as if these bytes had been received."""
        archive = Archive(root)
        folder = archive.folder(self.source, DAY, self.slot)
        entries = []
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            entries.append(self._entry(name, path.relative_to(root).as_posix(), data))
        snapshot = Snapshot(
            source=self.source,
            snapshot_date=DAY,
            slot=self.slot,
            retrieved_at=SEEN,
            is_complete=True,
            files=tuple(entries),
            **card(self.source).sidecar_terms(),
        )
        (folder / SIDECAR).write_text(snapshot.model_dump_json(), "utf-8")
        return archive, snapshot

    def _entry(self, name: str, path: str, data: bytes) -> ArchivedFile:
        digest = sha256(data)
        return ArchivedFile(
            name=name,
            path=path,
            url=self.url,
            retrieved_at=SEEN,
            sha256=digest,
            bytes=len(data),
            stored_sha256=digest,
            rows_seen=_received(data) if name.startswith("pages/") else None,
        )


def _received(page: bytes) -> int | None:
    """The rows of a listing page as the check on arrival counts them."""
    try:
        return page_of(page, None).received
    except Exception:  # such a page is never sealed; here it is, to try the parser
        return None


def inputs(archive: Path) -> list[Input]:
    """The newest snapshot of every source of an archive, shortened, and made ones of the others."""
    found = Archive(archive)
    newest = {s.source: s for s in found.snapshots()}
    kept = [_shortened(found, s) for s in newest.values()]
    made = [m for m in _made(kept) if m.source not in newest]
    return sorted(kept + made, key=lambda one: one.source)


def _shortened(archive: Archive, snapshot: Snapshot) -> Input:
    """At most four files of a snapshot with at most ROWS records each."""
    files = sorted(snapshot.files, key=lambda f: (_kind(f), f.bytes, f.name))
    kept: list[ArchivedFile] = []
    for file in files:
        if file.bytes > 2 and sum(_kind(k) == _kind(file) for k in kept) < 2:
            kept.append(file)
    data = {f.name: _short(f.name, archive.read(f)) for f in kept}
    url = kept[0].url
    return Input(snapshot.source, data, snapshot.slot, url)


def _kind(file: ArchivedFile) -> str:
    """Files of a source that have one shape: by extension, and by name for tables of their own."""
    named = file.name if file.url.endswith((".csv", ".zip")) else ""
    return Path(file.name).suffix + (named if "leaderboard_table" not in named else "")


def _short(name: str, data: bytes) -> bytes:
    if name.endswith(".csv"):
        return _csv(list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[: ROWS + 1])
    if name.endswith(".parquet"):
        return parquet(pq.read_table(io.BytesIO(data)).slice(0, ROWS))
    if name.endswith(".zip"):
        return _short_zip(data)
    content = orjson.loads(data)
    return orjson.dumps(content[:ROWS]) if isinstance(content, list) else data


def _short_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        tables = [n for n in bundle.namelist() if n.endswith(".csv")][:12]
        return zipped({n: bundle.read(n) for n in tables})


def parquet(table: pa.Table, **options: object) -> bytes:
    """The bytes of a table."""
    packed = io.BytesIO()
    pq.write_table(table, packed, **options)
    return packed.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The bytes of a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)
    return packed.getvalue()


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _made(kept: list[Input]) -> Iterator[Input]:
    """Small inputs by hand for the sources of which the bundled sample has none."""
    page = next(data for one in kept if one.source == "hub" for data in one.files.values())
    items = orjson.loads(page)
    datasets = [
        {k: v for k, v in i.items() if k not in ("safetensors", "baseModels")} for i in items
    ]
    yield Input("hub_datasets", {"pages/000001.json": orjson.dumps(datasets)})
    pages = {f"pages/{n:06}.json": orjson.dumps(items[n::3]) for n in (1, 2)}
    yield Input("hub_namespaces", pages)
    yield Input("hub_stats", {"models.parquet": parquet(_mirror(items))})
    sides = {"rating_q025": 990.0, "rating_q975": 1010}
    models = {f"model-{n}": {"rating": 1000.5 + n, **sides} for n in range(8)}
    board = {"full": models, "coding": models}
    names = [f"20250228T000000Z.{COMMIT[:12]}/leaderboard-{b}.json" for b in ("text", "image")]
    yield Input("arena_catalog", {name: orjson.dumps(board) for name in names})
    header = ["key", "Model", "MT-bench (score)", "MMLU", "License", "Organization", "Link"]
    rows = [[f"m{n}", f"Model {n}", "8.99", "0.86", "Open", "Lab", "-"] for n in range(8)]
    yield Input("lmarena_space", {"leaderboard_table_20240422.csv": _csv([header, *rows])})
    yield Input("ai_index", {"2026.zip": zipped(dict(_edition(2026)))})


def _mirror(items: list[dict[str, object]]) -> pa.Table:
    """Some items of a listing as the third party's Parquet file."""
    times = [datetime.fromisoformat(str(i["createdAt"])) for i in items]
    return pa.table(
        {
            "_id": [str(i.get("_id")) for i in items],
            "id": [str(i["id"]) for i in items],
            "createdAt": pa.array(times, pa.timestamp("us", "UTC")),
            "downloads": pa.array([i.get("downloads") for i in items], pa.int64()),
            "likes": pa.array([i.get("likes") for i in items], pa.int64()),
            "tags": pa.array([i.get("tags") for i in items], pa.list_(pa.string())),
        }
    )


def _edition(edition: int) -> Iterator[tuple[str, bytes]]:
    """A few mapped figures of an edition with made-up values."""
    cells = {"percent_text": "12.5%", "number": "1,234.5"}
    periods = {"date": "2025-03-01", "month": "2025-03", "quarter": "2025Q1", "year": "2025"}
    done = [f for f in figures() if f.edition == edition and f.period_form in periods][:10]
    for figure in done:
        known = {
            figure.period: periods[figure.period_form],
            figure.subject: "United States",
            figure.detail: "Total",
            **dict.fromkeys(figure.values, cells[figure.value_form]),
        }
        rows = [[known.get(name, "x") for name in figure.header] for _ in range(3)]
        yield f"1. Chapter/Data/fig_{figure.figure}.csv", _csv([figure.header, *rows])
