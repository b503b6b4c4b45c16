"""Pointers: the release that the readers of a channel get, and the log of their moves.

    latest.json                       moved by every publish (nightly)
    stable.json                       moved by a person (promote)
    journal/<channel>/<number>.json   every earlier pointer, unchanged

A pointer moves by compare-and-swap: of two publishers that read the same pointer, exactly one moves
it. A pointer is copied into the log before it is replaced, so the log lists exactly the moves that
happened.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NamedTuple

from pydantic import ValidationError

from warehouse.releases.manifest import Audience, Entry, ReleaseError, ReleaseId, Sha256, to_json
from warehouse.storage.protocol import Storage

Channel = Literal["latest", "stable"]
Action = Literal["publish", "rollback", "promote"]
CHANNELS: tuple[Channel, ...] = ("latest", "stable")


class Pointer(Entry):
    """The content of `<channel>.json`: a complete release, and how the pointer came to name it."""

    release_id: ReleaseId
    as_of: date
    audience: Audience
    is_sample: bool
    manifest: str
    manifest_sha256: Sha256
    published_at: datetime  # when the pointer was moved to it
    sequence: int = 0
    action: Action = "publish"
    moved_by: str | None = None
    moved_from: ReleaseId | None = None


class VersionedPointer(NamedTuple):
    """A pointer as it was read; storage compares `version` on a swap (None: there is none)."""

    pointer: Pointer | None
    data: bytes
    version: str | None


class PointerConflictError(ReleaseError):
    """Another publisher moved the pointer first."""


def pointer_key(channel: Channel) -> str:
    """`latest.json`, `stable.json`."""
    return f"{channel}.json"


def read_pointer(storage: Storage, channel: Channel = "latest") -> Pointer | None:
    """The pointer, None if nothing was published yet. Raises ReleaseError if it is damaged."""
    return read_for_update(storage, channel).pointer


def read_for_update(
    storage: Storage, channel: Channel, *, even_damaged: bool = False
) -> VersionedPointer:
    """The pointer and its version for `compare_and_swap`.

    Raises ReleaseError if it is damaged, unless `even_damaged`.
    """
    found = storage.get_version(pointer_key(channel))
    if found is None:
        return VersionedPointer(None, b"", None)
    try:
        return VersionedPointer(_parse(storage, pointer_key(channel), found[0]), *found)
    except ReleaseError:
        if even_damaged:
            return VersionedPointer(None, *found)
        raise


def _parse(storage: Storage, key: str, data: bytes) -> Pointer:
    try:
        return Pointer.model_validate_json(data)
    except ValidationError as error:
        raise ReleaseError(
            f"{storage.url}/{key} is not a valid pointer ({error.errors()[0]['msg']}); repair it "
            "with `observatory releases rollback RELEASE`"
        ) from error


def compare_and_swap(
    storage: Storage, channel: Channel, expected: VersionedPointer, to: Pointer
) -> Pointer:
    """Moves the pointer if it is still the expected one. Returns the current pointer.

    If another publisher moved it to the same release first, that counts as success. Raises
    PointerConflictError if it names another release.
    """
    to = to.model_copy(
        update={
            "sequence": _next_sequence(storage, channel, expected),
            "moved_from": expected.pointer.release_id if expected.pointer else None,
        }
    )
    if expected.pointer:
        storage.put_bytes(_entry(channel, expected.pointer.sequence), expected.data, if_absent=True)
    if storage.swap(pointer_key(channel), to_json(to), expected.version):
        return to
    now = read_pointer(storage, channel)
    if now and now.release_id == to.release_id:
        return now
    raise PointerConflictError(_conflict(storage, channel, expected, to, now))


def _next_sequence(storage: Storage, channel: Channel, expected: VersionedPointer) -> int:
    if expected.pointer:
        return expected.pointer.sequence + 1
    logged = storage.keys(f"journal/{channel}/")
    return 1 + max((int(_number(key)) for key in logged if _number(key).isdigit()), default=0)


def _entry(channel: Channel, sequence: int) -> str:
    return f"journal/{channel}/{sequence:08d}.json"


def _number(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _conflict(
    storage: Storage, channel: Channel, expected: VersionedPointer, to: Pointer, now: Pointer | None
) -> str:
    before = expected.pointer.release_id if expected.pointer else "nothing"
    winner = f"{now.release_id} (by {now.moved_by or 'unnamed'})" if now else "nothing"
    return (
        f"{storage.url}/{pointer_key(channel)}: another publisher moved the pointer first. This "
        f"run expected it to name {before} and meant to change it to {to.release_id}; it now names "
        f"{winner}, and readers see that release. {to.release_id} is uploaded but not published; "
        "run again to compare it with the current release and publish it"
    )


def release_log(storage: Storage, channel: Channel) -> list[Pointer]:
    """Every pointer of a channel, oldest first; the last is the current one."""
    logged = {
        key: _parse(storage, key, storage.get_bytes(key))
        for key in storage.keys(f"journal/{channel}/")
        if _number(key).isdigit()
    }
    now = read_pointer(storage, channel)
    if now:
        logged[_entry(channel, now.sequence)] = now
    return [logged[key] for key in sorted(logged)]
