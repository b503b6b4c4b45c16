"""HTML of the pages from their templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from warehouse.releases.manifest import Manifest
from warehouse.site.address import Address, file_of
from warehouse.site.i18n import FILES, LANGUAGES, LOCALES, words
from warehouse.site.scripts import inert

HERE = Path(__file__).parent
NAMES = {"en": "English", "hi": "हिन्दी"}
# For a page opened from a disk, `'self'` is its own folder. The hash allows the inline style sheet
# that Plot 0.6.17 adds to each chart; all other inline code is blocked. `data:` is the picture of a
# chart that the reader saves, `connect-src` the robots.txt that audits in a browser read.
POLICY = (
    "default-src 'none'; script-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; connect-src 'self'; "
    "style-src 'self' 'sha256-vf2v+4SmM6Fw8Kogv29THmFd1MRu8WeFzpoZMPoXFeM='"
)


@dataclass(frozen=True)
class Page:
    """One page in one language: template, file stem, head, and the variables of the template."""

    template: str
    stem: str
    title: str
    description: str
    values: Mapping[str, Any]
    structured: tuple[Mapping[str, Any], ...] = ()  # JSON-LD
    is_listed: bool = True  # in search engines and the site map

    @property
    def up(self) -> str:
        """The way from the page to the folder of the release."""
        return "../" * self.stem.count("/")


def write_html(
    folder: Path,
    language: str,
    manifest: Manifest,
    address: Address,
    labs: Iterable[str],
    pages: Iterable[Page],
) -> None:
    """Writes pages of one language. `labs` have a page of their own, to which their names link."""
    common = {
        "t": words(language),
        "m": manifest,
        "language": language,
        "languages": LANGUAGES,
        "names": NAMES,
        "files": FILES,
        "locale": LOCALES[language].replace("-", "_"),
        "policy": POLICY,
        "has_page": frozenset(labs),
    }
    for page in pages:
        path = folder / file_of(page.stem, language)
        path.parent.mkdir(exist_ok=True)
        head = _head(page, language, address)
        html = _environment().get_template(page.template).render(**common, **head, **page.values)
        path.write_text(html, encoding="utf-8")


def _head(page: Page, language: str, address: Address) -> dict[str, Any]:
    file = file_of(page.stem, language)
    own = address.of(file)
    about = {"@context": "https://schema.org", **({"url": own} if own else {})}
    structured = [{**about, **one} for one in page.structured]
    return {
        "page": page,
        "up": page.up,
        "address": own,
        "picture": address.of("page/picture.png"),
        "others": address.others(page.stem),
        "same": {other: page.up + file_of(page.stem, other) for other in LANGUAGES},
        "structured": [Markup(inert(one)) for one in structured],  # noqa: S704
    }


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_xml(path: Path, template: str, **values: object) -> None:
    """Writes an XML file from its template; all values are escaped."""
    path.write_text(_environment().get_template(template).render(**values), encoding="utf-8")
