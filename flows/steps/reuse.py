"""Whether all that a run of the sample would build and publish is there already.

Equal inputs and equal code give equal releases. So if the warehouse and every place name these
inputs and this code, the objects in storage are verified and nothing is computed again.
"""

from __future__ import annotations

from datetime import date
from importlib.metadata import version

import duckdb

from flows.settings import Settings
from flows.steps import data_docs
from flows.steps.build import chosen_snapshots
from flows.steps.publish import Published
from warehouse.archive.archive import Archive
from warehouse.code_version import code_version
from warehouse.database.duckdb_file import open_read_only, unpublished_path
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import read_for_update
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.verify import require_intact
from warehouse.releases.manifest import PUBLIC_URL, Audience, Manifest, ReleaseError
from warehouse.releases.stage import ENGINES
from warehouse.storage.files import file_sha256
from warehouse.storage.open import open_storage


def already_published(
    settings: Settings, as_of: date, audience: Audience
) -> list[Published] | None:
    """The releases that a run would reuse; None if anything is missing, older or damaged.

    Raises StorageError.
    """
    archive = Archive(settings.archive)
    chosen = chosen_snapshots(archive, settings.archived_sources, as_of)
    inputs = {s.snapshot_id: file_sha256(archive.sidecar(s)) for s in chosen}
    if not _is_built(settings, as_of, inputs):
        return None
    found = [_reused(target, settings, as_of, audience, inputs) for target in settings.publish_to]
    return [one for one in found if one] if all(found) else None


def _is_built(settings: Settings, as_of: date, inputs: dict[str, str]) -> bool:
    """Whether warehouse and Data Docs are those of a build of these inputs by this code."""
    if not (settings.warehouse.exists() and unpublished_path(settings.warehouse).exists()):
        return False
    try:
        with open_read_only(settings.warehouse) as con:
            built = con.execute("SELECT as_of, known_at, code_digest FROM meta.build").fetchall()
            rows = con.execute("SELECT snapshot_id, sidecar_sha256 FROM meta.snapshots").fetchall()
            results = data_docs.results_digest(con)
    except duckdb.Error:  # of an older version, with other columns
        return False
    docs = data_docs.listed(settings.docs)
    return (
        built == [(as_of, date.max, code_version()["digest"])]
        and dict(rows) == inputs
        and docs.results == results
        and all((settings.docs / name).is_file() for name in docs.files)
    )


def _reused(
    target: str, settings: Settings, as_of: date, audience: Audience, inputs: dict[str, str]
) -> Published | None:
    """The current release of a place, if it is the wanted one, with its copies repaired."""
    storage = open_storage(target)
    expected = read_for_update(storage, "latest")
    try:
        manifest = latest_manifest(storage, expected)
        if manifest is None or not _is_of(manifest, settings, as_of, audience, inputs):
            return None
        require_intact(storage, manifest)
    except (DamagedError, ReleaseError):  # a whole run repairs it, or says what is wrong
        return None
    set_pointer(
        storage, manifest.release_id, expected=expected, moved_by=settings.signature(audience)
    )
    sizes = (len(manifest.tables), len(manifest.left_out))
    return Published(target, manifest.release_id, audience, True, 0, *sizes)


def _is_of(
    manifest: Manifest,
    settings: Settings,
    as_of: date,
    audience: Audience,
    inputs: dict[str, str],
) -> bool:
    used = {
        s.snapshot_id: s.sidecar_sha256 for source in manifest.sources for s in source.snapshots
    }
    return (
        (manifest.as_of, manifest.audience) == (as_of, audience)
        and all(manifest.code.get(c) == code_version()[c] for c in ("version", "digest"))
        and manifest.code.get(PUBLIC_URL) == settings.public_url
        and manifest.engines == {name: version(name) for name in ENGINES}
        and used == inputs
    )
