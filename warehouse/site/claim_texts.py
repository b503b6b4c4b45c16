"""The texts of a published statement in the language of the page.

The mart has them in English. `text/claims/<file>.yml` has the same for another language, by the id
of the claim, of its quantities and of its definitions; figures and units are translated here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from warehouse.claims.claim import Claim
from warehouse.claims.read import claims
from warehouse.contracts.yaml_files import read_yaml
from warehouse.site.i18n import Words

FOLDER = Path(__file__).parent / "text" / "claims"
TEN_MILLION = 10  # in millions: what Hindi calls a करोड़
# Texts of the mart -> the same in Hindi, with what its groups found (transforms/claims/wording).
VALUES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(.+), whatever was not observed", "{0}, बाक़ी जो नहीं देखा गया, वह चाहे जो हो"),
    (r"between (.+) and (.+)", "{0} और {1} के बीच"),
    (r"at least (.+)", "कम से कम {0}"),
    (r"at most (.+)", "अधिक से अधिक {0}"),
    (r"above (.+)", "{0} से ज़्यादा"),
    (r"below (.+)", "{0} से कम"),
    (r"rank (\S+)", "पायदान {0}"),
    (r"no value", "कोई मान नहीं"),
    (r"a figure that its source's license withholds", "स्रोत का लाइसेंस यह आँकड़ा दिखाने नहीं देता"),
    (r"(\S+) %", "{0}%"),
    (r"(\S+) M downloads", lambda m: f"{_crores(m[1])} डाउनलोड"),
    (r"(\S+) B parameters", "{0} अरब पैरामीटर"),
    (r"\$(\S+) M", lambda m: f"{_crores(m[1])} डॉलर"),
    (r"(\S+) arena points", "{0} एरीना अंक"),
    (r"(\S+) points", "{0} अंक"),
    (r"(\S+) likes", "{0} लाइक"),
    (r"(\S+) months", "{0} महीने"),
    (r"(\S+) times", "{0} गुना"),
    (r"(\S+) FLOP", "{0} FLOP"),
    (r"(-?[\d.e+]+)", "{0}"),
)  # fmt: skip


def _crores(millions: str) -> str:
    """540.0 (millions) -> 54 करोड़; below ten million in lakhs."""
    value = float(millions)
    if abs(value) >= TEN_MILLION:
        return f"{value / TEN_MILLION:.4g} करोड़"
    return f"{value * TEN_MILLION:.4g} लाख"


class ClaimTexts:
    """Texts of claims in one language; English ones are those of the mart."""

    def __init__(self, speak: Words) -> None:
        self._speak = speak
        self._texts = _translated(speak.language)
        self._claims = {claim.id: claim for claim in claims()} if self._texts else {}

    def statement(self, row: Mapping[str, Any]) -> str:
        """The statement."""
        return self._speak.of("claim", str(row["claim_id"]), str(row["statement"]))

    def text(self, row: Mapping[str, Any], column: str) -> str | None:
        """A text of the claim: its period, hedge, definition_note, untested or data_needed."""
        if row[column] is None:
            return None
        return str(self._texts.get(row["claim_id"], {}).get(column) or row[column])

    def values(self, row: Mapping[str, Any], column: str) -> str | None:
        """Stated or recomputed values: `China: 17.1 %; United States: 15.8 %`."""
        text, labels = row[column], self._of(row["claim_id"], "measures", "label")
        if text is None or not self._texts:
            return text  # type: ignore[no-any-return]
        parts = (part.rpartition(": ") for part in str(text).split("; "))
        return "; ".join(f"{labels.get(name, name)}: {value_in_hindi(v)}" for name, _, v in parts)

    def definitions(self, row: Mapping[str, Any], column: str) -> str | None:
        """Definitions, separated as in the mart."""
        text, said = row[column], self._of(row["claim_id"], "definitions", "says")
        if text is None or not said:
            return text  # type: ignore[no-any-return]
        longest_first = sorted(said, key=lambda says: (-len(says), says))
        known = "|".join(map(re.escape, longest_first))
        named = re.sub(known, lambda found: said[found[0]], str(text))
        return named.replace("; or: ", "; या: ")

    def _of(self, claim_id: str, kind: str, english: str) -> dict[str, str]:
        """English text -> text in this language, of the claim's quantities or definitions."""
        claim: Claim | None = self._claims.get(claim_id)
        texts = self._texts.get(claim_id, {}).get(kind, {})
        parts = getattr(claim, kind) if claim else ()
        return {getattr(part, english): texts[part.id] for part in parts if part.id in texts}


def value_in_hindi(text: str) -> str:
    """`at least 540.0 M downloads` -> `कम से कम 54 करोड़ डाउनलोड`."""
    for pattern, form in VALUES:
        if found := re.fullmatch(pattern, text):
            if callable(form):
                return form(found)
            has_units = "(.+)" in pattern
            return form.format(
                *map(value_in_hindi, found.groups()) if has_units else found.groups()
            )
    return text


@cache
def _translated(language: str) -> dict[str, dict[str, Any]]:
    """Claim -> its texts in a language; empty for English."""
    files = sorted((FOLDER / language).glob("*.yml"))
    return {name: texts for file in files for name, texts in read_yaml(file).items()}
