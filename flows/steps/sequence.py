"""The way of a number from the archive to readers, as one sequence of plain steps.

`wrap` decides how a step runs: as it is (tests, `observatory replay`), or as a Prefect task
(`flows.pipeline`). There is no second list of the steps.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from expectations.docs import build_docs
from expectations.report import Report
from expectations.validate import validate_database
from flows.reports import alerts
from flows.settings import Settings
from flows.steps import build as steps
from flows.steps.hub_history import shared_with_releases
from flows.steps.publish import Published, add_docs, add_page, publish_to
from transforms.plan import plan
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot
from warehouse.code_version import code_version
from warehouse.contracts.table import contracts
from warehouse.database.duckdb_file import build_path, open_read_only, remove_dead_builds, swap_in
from warehouse.releases.manifest import FileEntry, Manifest
from warehouse.releases.stage import stage_release

log = logging.getLogger("observatory.stages")

Audience = Literal["internal", "public"]
Step = TypeVar("Step", bound=Callable[..., object])


class Wrap(Protocol):
    """How a step is run."""

    def __call__(self, step: Step, /) -> Step:
        """The step, ready to be called."""


def plain(step: Step, /) -> Step:
    """The step as it is."""
    return step


@dataclass(frozen=True)
class Built:
    """A warehouse file that passed every critical expectation."""

    warehouse: Path
    as_of: date
    snapshots: tuple[Snapshot, ...]
    report: Report


def build(
    settings: Settings,
    as_of: date,
    wrap: Wrap = plain,
    *,
    known_at: date = date.max,
    past_days: bool = True,
) -> Built:
    """Archive to warehouse file; the file that readers open is replaced only at the very end.

    Without `past_days` the shares of days that are no longer loaded are left out.
    Raises NothingToBuildError, ArchiveError, SourceError, ValidationError; the old warehouse
    then stays as it was and the build that failed lies beside it for inspection.
    """
    archive, clocks = Archive(settings.archive), steps.Clocks(as_of, known_at)
    snapshots = steps.chosen_snapshots(archive, settings.sources, as_of)
    remove_dead_builds(settings.warehouse)
    path, report = build_path(settings.warehouse), Report(())
    try:
        wrap(steps.load_raw)(path, archive, snapshots, settings.history)
        steps.note_refused(path, archive, snapshots, settings.sources, as_of)
        report += wrap(validate)(path, "raw")
        for layer in ("core", "mart", "meta"):
            if not report.failures("critical"):
                if layer == "mart" and past_days:
                    wrap(steps.settle)(path, archive, snapshots, clocks, settings.history)
                wrap(steps.transform)(path, layer, clocks)
                report += wrap(validate)(path, layer)
        failed = bool(report.failures("critical"))
        docs = write_docs(_docs_beside(settings, "failed" if failed else "new"), [report], as_of)
        report.raise_for_critical()
        wrap(finish)(path, list(snapshots), report, clocks)
        alerts.note(settings.warehouse, path, settings.warehouse)
        swap_in(path, settings.warehouse)
        _replace_folder(docs, settings.docs)
    except BaseException:
        _keep_failed(path, settings.warehouse)
        raise
    return Built(settings.warehouse, as_of, tuple(snapshots), report)


def validate(path: Path, layer: str) -> Report:
    """Every expectation on the tables of a layer; of meta, on those that are computed."""
    later = {t for t in contracts() if t.startswith("meta.")} - {step.table for step in plan()}
    tables = [t for t in contracts() if t.startswith(f"{layer}.") and t not in later]
    report = validate_database(path, tables, layer)
    counts = report.summary()
    log.info("%s: %d expectations, %d failed", layer, counts["expectations"], counts["failed"])
    for failure in report.failures("warning"):
        log.warning("%s %s: %s", failure.table_name, failure.expectation, failure.description)
    return report


def finish(path: Path, snapshots: list[Snapshot], report: Report, clocks: steps.Clocks) -> None:
    """Lineage, validation results and what the file was built from."""
    steps.write_lineage(path)
    steps.write_results(path, report.to_frame())
    steps.write_about(path, snapshots, clocks)


def write_docs(folder: Path, reports: Iterable[Report], as_of: date) -> Path:
    """Data Docs of the run in a folder of their own; returns the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    build_docs(list(reports), folder, as_of)
    return folder


def _docs_beside(settings: Settings, which: str) -> Path:
    """A build that failed must not leave its docs where `publish` takes those of the warehouse."""
    return settings.docs.with_name(f"{settings.docs.name}.{which}")


def _replace_folder(new: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)


def _keep_failed(path: Path, warehouse: Path) -> None:
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    if path.exists():
        path.replace(warehouse.with_name(f"{warehouse.stem}.failed.duckdb"))


def publish(
    settings: Settings,
    targets: Iterable[str],
    audience: Audience = "internal",
    *,
    allow_shrink: bool = False,
    wrap: Wrap = plain,
) -> list[Published]:
    """The warehouse file as a release, in every target; staged once.

    Raises ReleaseError, StorageError, ValidationError; `latest` of a target that failed stays.
    """
    publisher = settings.signature(audience)
    proven: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="observatory-release-") as scratch:
        folder = Path(scratch) / "release"
        manifest = stage(settings, folder, audience, wrap, with_history=True, proven=proven)
        return [
            wrap(publish_to)(t, folder, manifest, allow_shrink, publisher, proven) for t in targets
        ]


def stage(
    settings: Settings,
    folder: Path,
    audience: Audience = "internal",
    wrap: Wrap = plain,
    *,
    with_history: bool = False,
    proven: set[str] | None = None,
) -> Manifest:
    """The warehouse file as a release in an empty folder, with docs and page.

    The history's files lie beside the releases of a place: only there are they of use. `proven`
    gains the digests of tables that were validated on the way. Raises ReleaseError.
    """
    as_of, is_sample = _about(settings.warehouse)
    documents = _documents(settings) if audience == "internal" else {}
    shared: list[tuple[FileEntry, Path]] = []
    if with_history:
        listed, shared = shared_with_releases(settings, as_of, audience)
        documents |= listed
    manifest = wrap(stage_release)(
        settings.warehouse,
        folder,
        audience=audience,
        as_of=as_of,
        code=code_version(),
        sample=is_sample,
        documents=documents,
        shared=shared,
    )
    if audience == "public":
        manifest = wrap(add_docs)(folder, manifest, proven)
    return wrap(add_page)(folder, manifest)


def _documents(settings: Settings) -> dict[str, Path | bytes]:
    """The Data Docs of the build, by their path in the release."""
    found = sorted(p for p in settings.docs.rglob("*") if p.is_file())
    return {f"validation/{p.relative_to(settings.docs).as_posix()}": p for p in found}


def _about(warehouse: Path) -> tuple[date, bool]:
    """as_of and is_sample of a warehouse file."""
    with open_read_only(warehouse) as con:
        as_of, is_sample = con.execute("SELECT as_of, is_sample FROM meta.build").fetchall()[0]
    return as_of, is_sample
