"""AI Index editions in a local folder: which zip, folder or set of parts is which edition.

Google Drive packs a large folder into several zips, `<folder>-<time>-<n>-001.zip` and so on. They
are one download and together one edition; one part alone is not accepted.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flows.sources.formats.zips import members, open_zip, unpacked
from flows.sources.http import SourceError

EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_PART = re.compile(
    r"(?P<download>(?P<stem>.+?)(?:-\d{8}T\d{6}Z)?(?:-\d{1,2})?)-(?P<part>\d{3})(?: ?\(\d+\))?"
)
_SPLIT = re.compile(r"\.(?:zip\.\d{3}|z\d\d|\d{3}|part\d+\.(?:rar|zip)|zip\.part\d*)$", re.I)
_AMBIGUOUS = 3


@dataclass(frozen=True)
class LocalEdition:
    """The files of one edition: a zip, a folder, or the parts of one download in order."""

    name: str  # without the extension and the number of a part
    paths: tuple[Path, ...]
    numbers: tuple[int, ...] = ()  # of the parts; empty for a zip or folder without part numbers

    @property
    def title(self) -> str:
        """The names of its files."""
        return ", ".join(path.name for path in self.paths)

    @property
    def location(self) -> str:
        """The paths of its files."""
        return " + ".join(path.as_posix() for path in self.paths)

    def read(self) -> bytes:
        """The zip's bytes; a folder or several parts are packed into one zip, reproducibly.

        Raises ValueError for a damaged zip, or parts with different files of one name.
        """
        if not self.numbers and self.paths[0].is_file():
            return self.paths[0].read_bytes()
        files: dict[str, bytes] = {}
        for path in self.paths:
            for name, data in _contents(path):
                if files.setdefault(name, data) != data:
                    raise ValueError(f"two parts have different files named {name!r}")
        return _pack(files)

    def missing(self) -> list[int]:
        """Numbers of the parts before the last one that are not there."""
        return sorted({*range(1, max(self.numbers, default=0))} - set(self.numbers))

    def notes(self) -> list[str]:
        """A note that lists the parts, each zip with its sha256."""
        if len(self.paths) < 2:
            return []
        digests = [
            p.name if p.is_dir() else f"{p.name} ({sha256(p.read_bytes()).hexdigest()})"
            for p in self.paths
        ]
        return [f"{len(digests)} parts of one download: {', '.join(digests)}"]


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() == ".csv" and file.is_file():
                yield file.relative_to(path.parent).as_posix(), file.read_bytes()
        return
    try:
        with open_zip(path.read_bytes()) as bundle:
            yield from ((m.filename, unpacked(bundle, m)) for m in members(bundle))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        for name in sorted(files):
            bundle.writestr(zipfile.ZipInfo(name, EPOCH_OF_ZIP), files[name])
    return packed.getvalue()


def find_local(folder: Path | None, edition: int) -> LocalEdition | None:
    """The local zip, folder or parts of an edition, also under the producer's own name.

    Preferred is an exact name, then one that begins with the year, then one that names no other
    year. Raises SourceError for an ambiguous name, a missing part, or an archive that is split in a
    way that we cannot read.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise SourceError(
            "ai_index",
            "the folder for edition files does not exist",
            str(folder),
            "correct OBSERVATORY_AI_INDEX_FILES, or unset it to use the source card's addresses",
        )
    ranked = [
        (rank, one) for one in _candidates(folder) if (rank := _rank(one, edition)) is not None
    ]
    best = [one for rank, one in ranked if rank == min(r for r, _ in ranked)]
    if len(best) > 1 or any(rank == _AMBIGUOUS and one in best for rank, one in ranked):
        raise SourceError(
            "ai_index",
            f"several files could be edition {edition}: {', '.join(b.title for b in best)}",
            str(folder),
            f"rename the right one to {edition} or {edition}.zip",
        )
    if not best:
        _check_split(folder, edition)
        return None
    _check_parts(best[0], edition, folder)
    return best[0]


def _check_parts(found: LocalEdition, edition: int, folder: Path) -> None:
    """Raises SourceError for missing or repeated parts."""
    repeated = sorted({n for n in found.numbers if found.numbers.count(n) > 1})
    if found.missing() or repeated:
        raise SourceError(
            "ai_index",
            f"edition {edition} has parts: {found.title}; missing: "
            f"{_listed(found.missing()) or 'none'}; repeated: {_listed(repeated) or 'none'}",
            str(folder),
            "put every part of one download there, each once",
        )


def _check_split(folder: Path, edition: int) -> None:
    """Raises SourceError for the pieces of a split archive, which must be joined first."""
    pieces = [p.name for p in sorted(folder.iterdir()) if _SPLIT.search(p.name)]
    if found := [name for name in pieces if str(edition) in _years(name)]:
        raise SourceError(
            "ai_index",
            f"edition {edition} is split into pieces that are not zips: {', '.join(found)}",
            str(folder),
            f"join them with the program that made them, and name the result {edition}.zip",
        )


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number:03}" for number in numbers)


def unlisted_editions(folder: Path | None, known: set[int]) -> list[int]:
    """Local editions that are not in `known`; only names with exactly one year count."""
    candidates = _candidates(folder) if folder and folder.is_dir() else []
    years = [_years(one.name) for one in candidates]
    return sorted({int(*found) for found in years if len(found) == 1} - known)


def _candidates(folder: Path) -> list[LocalEdition]:
    """Every zip and folder; the parts of one download together."""
    whole: list[LocalEdition] = []
    parts: dict[tuple[str, bool], list[tuple[int, Path]]] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() and path.suffix.lower() != ".zip":
            continue
        name = path.name if path.is_dir() else path.name[: -len(".zip")]
        if match := _PART.fullmatch(name):
            key = match["download"], path.is_dir()
            parts.setdefault(key, []).append((int(match["part"]), path))
        else:
            whole.append(LocalEdition(name, (path,)))
    for (download, _), found in parts.items():
        numbers, paths = zip(*sorted(found), strict=True)
        stem = _PART.fullmatch(f"{download}-001")
        whole.append(LocalEdition(stem["stem"] if stem else download, paths, numbers))
    return whole


def _years(name: str) -> set[str]:
    return set(re.findall(r"(?<!\d)20\d\d(?!\d)", name))


def _rank(found: LocalEdition, edition: int) -> int | None:
    """How well a name matches an edition (0 = exactly); None for another edition."""
    years = _years(found.name)
    begins = re.match(r"20\d\d(?!\d|-\d)", found.name)  # 2026-05-13 is a date, not an edition
    if found.name == str(edition):
        return 0
    if begins:
        return 1 if begins[0] == str(edition) else None
    if str(edition) not in years:
        return None
    return 2 if len(years) == 1 else _AMBIGUOUS
