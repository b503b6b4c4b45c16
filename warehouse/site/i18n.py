"""The page's two languages: texts are data, numbers and dates as the readers write them.

`text/<language>.yml` holds every text by its key. A text of one number may have the forms `one`
and `other`, chosen by CLDR's rule of the language for its value `n`.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pycountry
import yaml

TEXT = Path(__file__).parent / "text"
LANGUAGES = ("en", "hi")
LOCALES = {"en": "en-IN", "hi": "hi-IN"}
FILES = {"en": "index.html", "hi": "index.hi.html"}
MISSING = "–"
# CLDR: 1 is singular in English; in Hindi 0 is too.
_IS_ONE: dict[str, Callable[[float], bool]] = {
    "en": lambda n: n == 1,
    "hi": lambda n: 0 <= n <= 1,
}


@dataclass(frozen=True)
class Words:
    """One language."""

    language: str
    texts: dict[str, Any]
    months: list[str]
    countries: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values. Raises KeyError: a page without a text is a fault."""
        text = self.texts[key]
        if isinstance(text, dict):
            text = text["one" if _IS_ONE[self.language](values["count"]) else "other"]  # type: ignore[arg-type]
        return str(text).format(**values) if values else str(text)

    def of(self, kind: str, name: str, fallback: str | None = None) -> str:
        """A name of the vocabulary, e.g. a board; as it came where no text is there yet."""
        return str(self.texts.get(f"{kind}.{name}", name if fallback is None else fallback))

    def has(self, key: str) -> bool:
        """Whether the language has a text of this key."""
        return key in self.texts

    def country(self, code: str | None, fallback: str | None = None) -> str:
        """Short name of a country; `fallback` or the code where the language has none."""
        if code is None:
            return MISSING
        if code in self.countries:
            return self.countries[code]
        country = pycountry.countries.get(alpha_2=code)
        if self.language == "en" or country is None:
            return fallback or (country.name if country else code)
        return _translated(self.language).gettext(country.name)

    def day(self, value: date | str | None) -> str:
        """15 August 2026, 15 अगस्त 2026."""
        if value is None:
            return MISSING
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return f"{day.day} {self.months[day.month - 1]} {day.year}"

    def integer(self, value: int | None) -> str:
        """With the Indian grouping that en-IN and hi-IN share: 12,34,567."""
        if value is None:
            return MISSING
        digits = str(abs(int(value)))
        head, tail = digits[:-3], digits[-3:]
        pairs = [head[max(i - 2, 0) : i] for i in range(len(head), 0, -2)][::-1]
        return ("-" if value < 0 else "") + ",".join([*pairs, tail])

    def percent(self, thousandths: float | None) -> str:
        """A share carried in thousandths (`warehouse.site.numbers`): 17.1%, <0.1%, >99.9%."""
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
        """Bytes in powers of ten, as file managers show them."""
        for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if n >= one:
                return f"{n / one:.1f} {unit}"
        return f"{n} B"


@cache
def words(language: str) -> Words:
    """The texts of a language."""
    data = yaml.safe_load((TEXT / f"{language}.yml").read_text(encoding="utf-8"))
    return Words(language, data["texts"], data["months"], data["countries"])


@cache
def _translated(language: str) -> gettext.NullTranslations:
    return gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [language], fallback=True)
