"""The two languages of the page: texts from YAML, numbers, dates and country names from CLDR.

`text/<language>.yml` has every text by its key. A text with a count may have the forms `one` and
`other`; the plural rule of the language chooses between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from warehouse.contracts.yaml_files import read_yaml

TEXT = Path(__file__).parent / "text"
LANGUAGES = ("en", "hi")
LOCALES = {"en": "en-GB", "hi": "hi-IN"}
FILES = {"en": "index.html", "hi": "index.hi.html"}
MISSING = "–"


@dataclass(frozen=True)
class Words:
    """The texts and formats of one language. `countries` overrides the names of CLDR.

    `labs` has the names of labs, by id, that papers in the language write in its own script.
    """

    language: str
    texts: dict[str, Any]
    countries: dict[str, str]
    labs: dict[str, str]

    @property
    def locale(self) -> Locale:
        """International English; Hindi as written in India."""
        return Locale.parse(LOCALES[self.language], sep="-")

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values. Raises KeyError if the language lacks it."""
        text = self.texts[key]
        if isinstance(text, dict):
            text = text[self.locale.plural_form(values["count"])]  # type: ignore[arg-type]
        return str(text).format(**values) if values else str(text)

    def of(self, kind: str, name: str, fallback: str | None = None) -> str:
        """The text of a name, e.g. of a board; without a text, the fallback or the name itself."""
        return str(self.texts.get(f"{kind}.{name}", name if fallback is None else fallback))

    def has(self, key: str) -> bool:
        """Whether the language has this key."""
        return key in self.texts

    def country(self, code: str | None, fallback: str | None = None) -> str:
        """Short name of a country. English prefers the fallback, the name in the tables."""
        if code is None:
            return MISSING
        name = self.countries.get(code) or (fallback if self.language == "en" else None)
        return name or self.locale.territories.get(code) or fallback or code

    def lab(self, lab_id: str | None, name: str | None) -> str:
        """Name of a lab, in the script of the language if papers write it so."""
        if lab_id in ("unexamined", "none"):
            return self.of("lab" if lab_id == "unexamined" else "family", lab_id)
        return self.labs.get(lab_id or "") or name or MISSING

    def day(self, value: date | str | None) -> str:
        """15 August 2026, 15 अगस्त 2026."""
        if value is None:
            return MISSING
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return format_date(day, "long", locale=self.locale)

    def integer(self, value: int | None) -> str:
        """1,234,567 in English, 12,34,567 in Hindi."""
        return MISSING if value is None else format_decimal(int(value), locale=self.locale)

    def percent(self, thousandths: float | None) -> str:
        """A share in thousandths (`warehouse.site.numbers`): 17.1%, <0.1%, >99.9%."""
        if thousandths is None:
            return MISSING
        if 0 < thousandths < 1:
            return "<0.1%"
        if 999 < thousandths < 1000:
            return ">99.9%"
        return f"{thousandths / 10:.1f}%"

    def interval(self, lower: float | None, upper: float | None) -> str:
        """40.0–44.2%."""
        if lower is None or upper is None:
            return MISSING
        return f"{self.percent(lower).removesuffix('%')}–{self.percent(upper)}"

    def size(self, n: int) -> str:
        """Bytes in decimal units: kB, MB, GB."""
        for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if n >= one:
                return f"{n / one:.1f} {unit}"
        return f"{n} B"


@cache
def words(language: str) -> Words:
    """The texts of a language."""
    data = read_yaml(TEXT / f"{language}.yml")
    return Words(language, data["texts"], data["countries"], data["labs"])
