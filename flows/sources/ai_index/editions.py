"""Editions of the AI Index laid down by hand: which zip, folder or set of parts is which edition.

Google Drive packs a large folder into several zips, `<folder>-<moment>-<n>-001.zip` and so on.
They are one download and together one edition; a part alone is not taken for the whole.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flows.sources.formats.zips import DAMAGED_ZIP, members, open_zip
from flows.sources.http import SourceError

EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_PART = re.compile(
    r"(?P<download>(?P<stem>.+?)(?:-\d{8}T\d{6}Z)?(?:-\d{1,2})?)-(?P<part>\d{3})(?: ?\(\d+\))?"
)
_SPLIT = re.compile(r"\.(?:zip\.\d{3}|z\d\d|\d{3}|part\d+\.(?:rar|zip)|zip\.part\d*)$", re.I)
_AMBIGUOUS = 3


@dataclass(frozen=True)
class Laid:
    """What holds one edition: a zip, a folder, or the parts of one download in their order."""

    name: str  # without the extension and the number of a part
    paths: tuple[Path, ...]
    numbers: tuple[int, ...] = ()  # of the parts; none where it is whole by its name

    @property
    def title(self) -> str:
        """The names of its files."""
        return ", ".join(path.name for path in self.paths)

    @property
    def place(self) -> str:
        """Where it is."""
        return " + ".join(path.as_posix() for path in self.paths)

    def read(self) -> bytes:
        """The zip's bytes; a folder or several parts packed into one, the same way every time.

        Raises one of DAMAGED_ZIP for a part that is no sound zip, or holds what another one holds.
        """
        if not self.numbers and self.paths[0].is_file():
            return self.paths[0].read_bytes()
        held: dict[str, bytes] = {}
        for path in self.paths:
            for name, data in _contents(path):
                if held.setdefault(name, data) != data:
                    raise ValueError(f"the parts hold {name!r} twice, and not the same")
        return _packed(held)

    def missing(self) -> list[int]:
        """Numbers of the parts that must be there, since a later one is."""
        return sorted({*range(1, max(self.numbers, default=0))} - set(self.numbers))

    def notes(self) -> list[str]:
        """The parts, each zip with the digest of its bytes."""
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
            yield from ((m.filename, bundle.read(m)) for m in members(bundle))
    except DAMAGED_ZIP as error:
        raise ValueError(f"{path.name}: {error}") from error


def _packed(held: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        for name in sorted(held):
            bundle.writestr(zipfile.ZipInfo(name, EPOCH_OF_ZIP), held[name])
    return packed.getvalue()


def local(folder: Path | None, edition: int) -> Laid | None:
    """The operator's zip, folder or parts of an edition, also under the producer's own name.

    An exact name goes first, then one that begins with the year, then one that names no other
    year. Raises SourceError where two are as good, where only a name with several years is left,
    where a part is missing, or where an archive is split in a way that nobody reads here.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise SourceError(
            "ai_index",
            "the folder with the editions is not there",
            str(folder),
            "correct OBSERVATORY_AI_INDEX_FILES, or unset it to use the source card's addresses",
        )
    ranked = [(rank, one) for one in _laid(folder) if (rank := _rank(one, edition)) is not None]
    best = [one for rank, one in ranked if rank == min(r for r, _ in ranked)]
    if len(best) > 1 or any(rank == _AMBIGUOUS and one in best for rank, one in ranked):
        raise SourceError(
            "ai_index",
            f"cannot tell which of these is edition {edition}: {', '.join(b.title for b in best)}",
            str(folder),
            f"call the right one {edition} or {edition}.zip",
        )
    if not best:
        _check_split(folder, edition)
        return None
    _check_parts(best[0], edition, folder)
    return best[0]


def _check_parts(laid: Laid, edition: int, folder: Path) -> None:
    """Raises SourceError where a part in between is missing or one is there twice."""
    twice = sorted({n for n in laid.numbers if laid.numbers.count(n) > 1})
    if laid.missing() or twice:
        raise SourceError(
            "ai_index",
            f"edition {edition} is in parts: {laid.title} are there, "
            f"{_listed(laid.missing()) or 'none'} missing, {_listed(twice) or 'none'} there twice",
            str(folder),
            "lay down every part of one download, each once",
        )


def _check_split(folder: Path, edition: int) -> None:
    """Raises SourceError for the pieces of an archive that must be joined before it is a zip."""
    pieces = [p.name for p in sorted(folder.iterdir()) if _SPLIT.search(p.name)]
    if found := [name for name in pieces if str(edition) in _years(name)]:
        raise SourceError(
            "ai_index",
            f"edition {edition} is split into pieces that are no zips: {', '.join(found)}",
            str(folder),
            f"join them with the program that made them, and lay down {edition}.zip",
        )


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number:03}" for number in numbers)


def further(folder: Path | None, known: set[int]) -> list[int]:
    """Editions that are there and not in `known`, by names with one year alone."""
    laid = _laid(folder) if folder and folder.is_dir() else []
    years = [_years(one.name) for one in laid]
    return sorted({int(*found) for found in years if len(found) == 1} - known)


def _laid(folder: Path) -> list[Laid]:
    """Every zip and folder; those that are parts of one download as one."""
    whole: list[Laid] = []
    parts: dict[tuple[str, bool], list[tuple[int, Path]]] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() and path.suffix.lower() != ".zip":
            continue
        name = path.name if path.is_dir() else path.name[: -len(".zip")]
        if match := _PART.fullmatch(name):
            key = match["download"], path.is_dir()
            parts.setdefault(key, []).append((int(match["part"]), path))
        else:
            whole.append(Laid(name, (path,)))
    for (download, _), found in parts.items():
        numbers, paths = zip(*sorted(found), strict=True)
        stem = _PART.fullmatch(f"{download}-001")
        whole.append(Laid(stem["stem"] if stem else download, paths, numbers))
    return whole


def _years(name: str) -> set[str]:
    return set(re.findall(r"(?<!\d)20\d\d(?!\d)", name))


def _rank(laid: Laid, edition: int) -> int | None:
    """How well a name fits an edition, 0 = exactly; None where it is another edition's."""
    years = _years(laid.name)
    begins = re.match(r"20\d\d(?!\d|-\d)", laid.name)  # 2026-05-13 is a day, no edition
    if laid.name == str(edition):
        return 0
    if begins:
        return 1 if begins[0] == str(edition) else None
    if str(edition) not in years:
        return None
    return 2 if len(years) == 1 else _AMBIGUOUS
