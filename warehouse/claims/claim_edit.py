"""Adds a claim to a file of statements, without a change to the others in it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import yaml

from warehouse.claims.claim import Claim, Unit
from warehouse.claims.read import CLAIMS, ClaimError, parse_claims, read_claims
from warehouse.storage.files import write_atomically

ID = re.compile(r"^- id: *(?P<id>\S+) *$", flags=re.MULTILINE)
WIDTH = 98  # of a line of the files


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and nothing is shortened to an anchor."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def claim_of(fields: dict[str, Any], name: str = "claim") -> Claim:
    """The claim with these fields. Raises ClaimError with every error."""
    given = {key: value for key, value in fields.items() if value is not None}
    return parse_claims(_dumped([given]), name)[0]


def fields_of(text: str, name: str) -> dict[str, Any]:
    """The fields of the one claim in a YAML text: an entry, or a list of one. Raises ClaimError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ClaimError(f"{name}: {error}") from error
    entries = document if isinstance(document, list) else [document]
    if len(entries) != 1 or not isinstance(entries[0], dict):
        raise ClaimError(
            f"{name}: {len(entries)} entries; give one statement with its fields, such as `id: ...`"
        )
    return dict(entries[0])


def units() -> tuple[str, ...]:
    """Units that a stated value can have."""
    return get_args(Unit)


def claim_text(claim: Claim) -> str:
    """A claim as an entry of a file of statements; fields with their default are left out."""
    return _dumped([_plain(claim.model_dump(exclude_defaults=True))])


def _dumped(document: object) -> str:
    return str(
        yaml.dump(
            document,
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=WIDTH,
            default_flow_style=False,
        )
    )


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever a claim holds
    """With lists instead of tuples."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def statement_files() -> dict[str, Path]:
    """The files of statements by their name without .yml."""
    return {path.stem: path for path in sorted(CLAIMS.glob("*.yml"))}


def file_for(claim: Claim) -> Path:
    """The file whose statements use the claim's first test most often."""
    test = _tests(claim)[0]
    files = statement_files().values()
    counts = {
        path: Counter(t for other in read_claims(path) for t in _tests(other))[test]
        for path in files
    }
    return max(counts, key=lambda path: (counts[path], path.name != "outside.yml", path.name))


def _tests(claim: Claim) -> list[str]:
    return [str(measure.check.model_dump()["test"]) for measure in claim.measures]


def with_claim(text: str, claim: Claim) -> str:
    """The text of a file with the claim: by id if the file is sorted by id, else at the end."""
    entry = claim_text(claim)
    found = list(ID.finditer(text))
    ids = [match["id"] for match in found]
    later = [match.start() for match in found if match["id"] > claim.id]
    if ids == sorted(ids) and later:
        at = min(later)
        return f"{text[:at]}{entry}\n{text[at:]}"
    return f"{text.rstrip()}\n\n{entry}" if text.strip() else entry


def add_claim(claim: Claim, path: Path) -> None:
    """Writes the claim into a file, which stays as it was if the result is not valid.

    Raises ClaimError for an id that exists, and for a result with an error.
    """
    for other in statement_files().values():
        if any(c.id == claim.id for c in read_claims(other)):
            raise ClaimError(f"claim {claim.id} already exists in {other}; choose another id")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = with_claim(before, claim)
    known = parse_claims(before, str(path)) if before.strip() else ()
    if {c.id: c for c in parse_claims(after, str(path))} != {c.id: c for c in (*known, claim)}:
        raise ClaimError(f"{path}: the statement cannot be added without a change to others")
    try:
        write_atomically(path, after.encode("utf-8"))
    except OSError as error:
        raise ClaimError(
            f"{path} cannot be written ({error}); run the command in a checkout that you own, "
            "or use --dry-run and copy the entry"
        ) from error
