"""Where the pages of a release are found, if the operator has said so."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.site.i18n import LANGUAGES

PUBLISHED = "latest"  # the folder of a published place that always has the newest release


def file_of(stem: str, language: str) -> str:
    """`index.html`, `labs/alibaba.hi.html`."""
    return f"{stem}.html" if language == LANGUAGES[0] else f"{stem}.{language}.html"


@dataclass(frozen=True)
class Address:
    """The address of the published place; None = not known."""

    public_url: str | None

    def of(self, path: str) -> str | None:
        """The full address of a file of the newest release."""
        if self.public_url is None:
            return None
        return f"{self.public_url.rstrip('/')}/{PUBLISHED}/{path}"

    def others(self, stem: str) -> dict[str, str]:
        """Language -> full address of a page; empty without a public address."""
        found = {language: self.of(file_of(stem, language)) for language in LANGUAGES}
        return {language: address for language, address in found.items() if address}
