"""The releases in a storage location: complete or not, and why each is kept."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime

from warehouse.publishing.pointer import CHANNELS, Channel, read_pointer, release_log
from warehouse.publishing.release_objects import find_manifest, parallel_map, read_manifest
from warehouse.releases.manifest import MANIFEST, Audience, ReleaseError, is_release_id
from warehouse.storage.protocol import MissingObjectError, Storage, Stored

PINS = "pins/"


@dataclass(frozen=True)
class Release:
    """One release. Without a manifest it is incomplete, and no reader can find it.

    `published_at` and `last_change` are by storage's clock. `channels`: those whose pointer names
    it. `promoted`: it was stable once. `pinned`: the reason why a person wants it kept.
    """

    release_id: str
    is_complete: bool
    published_at: datetime | None
    last_change: datetime
    bytes: int
    objects: int
    channels: tuple[Channel, ...] = ()
    promoted: bool = False
    pinned: str | None = None


@dataclass(frozen=True)
class ManifestSummary:
    """The main fields of a manifest; None if it cannot be read."""

    as_of: date | None
    audience: Audience | None
    is_sample: bool | None
    tables: int | None


def releases(storage: Storage) -> list[Release]:
    """Every release: complete ones first, newest first."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for stored in storage.listing("releases/"):
        _, release_id, *path = stored.key.split("/")
        if path and is_release_id(release_id):  # anything else is not ours
            found[release_id].append(stored)
    channels, promoted, pins = _by_channel(storage), _promoted(storage), pinned(storage)
    listed = [
        _release(release_id, objects, channels, promoted, pins)
        for release_id, objects in found.items()
    ]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(listed, key=lambda r: (r.published_at or oldest, r.release_id), reverse=True)


def _release(
    release_id: str,
    objects: list[Stored],
    channels: dict[Channel, str],
    promoted: set[str],
    pins: dict[str, str],
) -> Release:
    key = f"releases/{release_id}/{MANIFEST}"
    published_at = next((o.modified for o in objects if o.key == key), None)
    return Release(
        release_id=release_id,
        is_complete=published_at is not None,
        published_at=published_at,
        last_change=max(o.modified for o in objects),
        bytes=sum(o.bytes for o in objects),
        objects=len(objects),
        channels=tuple(channel for channel in CHANNELS if channels.get(channel) == release_id),
        promoted=release_id in promoted,
        pinned=pins.get(release_id),
    )


def _by_channel(storage: Storage) -> dict[Channel, str]:
    pointers = {channel: read_pointer(storage, channel) for channel in CHANNELS}
    return {channel: p.release_id for channel, p in pointers.items() if p}


def _promoted(storage: Storage) -> set[str]:
    return {pointer.release_id for pointer in release_log(storage, "stable")}


def summarize(storage: Storage, release: Release) -> ManifestSummary:
    """The main fields of a release's manifest; an unreadable one does not fail the listing."""
    try:
        manifest = find_manifest(storage, release.release_id)
    except ReleaseError:
        manifest = None
    if manifest is None:
        return ManifestSummary(None, None, None, None)
    return ManifestSummary(
        manifest.as_of, manifest.audience, manifest.is_sample, len(manifest.tables)
    )


def summarize_all(storage: Storage, found: list[Release]) -> list[ManifestSummary]:
    """The main fields of the manifests, in the order of the releases."""
    return parallel_map(lambda release: summarize(storage, release), found)


def resolve(storage: Storage, name: str) -> str:
    """A release's id from its id or from a channel's name. Raises ReleaseError."""
    for channel in CHANNELS:
        if name == channel:
            pointer = read_pointer(storage, channel)
            if pointer is None:
                raise ReleaseError(
                    f"{storage.url}/{channel}.json: nothing was published there yet; "
                    "run `observatory publish` or check --publish-to"
                )
            return pointer.release_id
    try:
        return read_manifest(storage, name).release_id
    except MissingObjectError as error:
        raise ReleaseError(
            f"{storage.url}: no complete release {name}; `observatory releases list` shows them"
        ) from error


def pinned(storage: Storage) -> dict[str, str]:
    """Pinned releases, with the reason."""
    found = {key: key.removeprefix(PINS).removesuffix(".json") for key in storage.keys(PINS)}
    return {
        release_id: json.loads(storage.get_bytes(key)).get("reason", "")
        for key, release_id in found.items()
        if is_release_id(release_id)
    }


def pin(storage: Storage, release_id: str, reason: str) -> None:
    """Protects a release from clean-up, such as one that a paper cites."""
    storage.put_bytes(f"{PINS}{release_id}.json", json.dumps({"reason": reason}).encode() + b"\n")


def unpin(storage: Storage, release_id: str) -> None:
    """Removes a pin."""
    storage.delete(f"{PINS}{release_id}.json")
