"""The pointers of a place: which release a reader of a channel gets, and who moved it when.

    latest.json                       the channel that every publish moves (nightly)
    stable.json                       the channel that a person moves (promote)
    journal/<channel>/<number>.json   every pointer that there was before, as it was

A pointer moves by compare-and-swap: of two who start from the same one, a single one moves it. The
pointer is the newest line of its own journal: it is filed there before it is replaced, so the
journal never tells of a move that did not happen and never lacks one that did.
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
    """What `<channel>.json` says: the release that is wholly in place, and how it came there."""

    release_id: ReleaseId
    as_of: date
    audience: Audience
    is_sample: bool
    manifest: str
    manifest_sha256: Sha256
    published_at: datetime  # when the pointer moved here
    sequence: int = 0
    action: Action = "publish"
    moved_by: str | None = None
    moved_from: ReleaseId | None = None


class Held(NamedTuple):
    """A channel as a mover saw it; `version` is what storage compares with, None where absent."""

    pointer: Pointer | None
    data: bytes
    version: str | None


class OvertakenError(ReleaseError):
    """Another publisher moved the pointer first."""


def key_of(channel: Channel) -> str:
    """`latest.json`, `stable.json`."""
    return f"{channel}.json"


def read_pointer(storage: Storage, channel: Channel = "latest") -> Pointer | None:
    """The pointer, None where nothing was published yet. Raises ReleaseError if it is damaged."""
    return hold(storage, channel).pointer


def hold(storage: Storage, channel: Channel, *, even_damaged: bool = False) -> Held:
    """The pointer and the version to swap it against. Raises ReleaseError if it is damaged."""
    found = storage.get_version(key_of(channel))
    if found is None:
        return Held(None, b"", None)
    try:
        return Held(_parse(storage, key_of(channel), found[0]), *found)
    except ReleaseError:
        if even_damaged:
            return Held(None, *found)
        raise


def _parse(storage: Storage, key: str, data: bytes) -> Pointer:
    try:
        return Pointer.model_validate_json(data)
    except ValidationError as error:
        raise ReleaseError(
            f"{storage.url}/{key} is not a pointer of ours ({error.errors()[0]['msg']}); "
            "put it right with `observatory rollback RELEASE`"
        ) from error


def move(storage: Storage, channel: Channel, held: Held, to: Pointer) -> Pointer:
    """Swaps the pointer that was held for another one; returns the one that stands there now.

    Whoever is overtaken by the same release has what it wanted. Raises OvertakenError.
    """
    to = to.model_copy(
        update={
            "sequence": _next_sequence(storage, channel, held),
            "moved_from": held.pointer.release_id if held.pointer else None,
        }
    )
    if held.pointer:
        storage.put_bytes(_entry(channel, held.pointer.sequence), held.data, if_absent=True)
    if storage.swap(key_of(channel), to_json(to), held.version):
        return to
    now = read_pointer(storage, channel)
    if now and now.release_id == to.release_id:
        return now
    raise OvertakenError(_overtaken(storage, channel, held, to, now))


def _next_sequence(storage: Storage, channel: Channel, held: Held) -> int:
    if held.pointer:
        return held.pointer.sequence + 1
    filed = storage.keys(f"journal/{channel}/")
    return 1 + max((int(_number(key)) for key in filed if _number(key).isdigit()), default=0)


def _entry(channel: Channel, sequence: int) -> str:
    return f"journal/{channel}/{sequence:08d}.json"


def _number(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _overtaken(
    storage: Storage, channel: Channel, held: Held, to: Pointer, now: Pointer | None
) -> str:
    before = held.pointer.release_id if held.pointer else "nothing"
    winner = f"{now.release_id} (by {now.moved_by or 'unnamed'})" if now else "nothing"
    return (
        f"{storage.url}/{key_of(channel)}: another publisher was faster. This run found {before} "
        f"there and meant to replace it by {to.release_id}; now it names {winner}. Readers see "
        f"that one; {to.release_id} lies whole beside it. Run again to compare with the new one "
        "and publish on top of it"
    )


def journal(storage: Storage, channel: Channel) -> list[Pointer]:
    """Every pointer of a channel, oldest first; the last is the one that stands."""
    filed = {
        key: _parse(storage, key, storage.get_bytes(key))
        for key in storage.keys(f"journal/{channel}/")
    }
    now = read_pointer(storage, channel)
    if now:
        filed[_entry(channel, now.sequence)] = now
    return [filed[key] for key in sorted(filed)]
