"""The pages of all models and all labs, and the page that shows one chart elsewhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from warehouse.site.i18n import Words
from warehouse.site.render import Page


def models(data: dict[str, Any], t: Words) -> Page:
    """The most downloaded models, to sort and filter."""
    found = data["models"]
    about = t("models.about", n=t.integer(len(found["rows"])), all=t.integer(found["n"]),
              day=t.day(found["day"]))  # fmt: skip
    values = {"rows": found["rows"], "about": about, "quote": quote}
    return Page("models.html", "models", f"{t('models.title')} · {t('title')}", about, values)


def labs(data: dict[str, Any], t: Words) -> Page:
    """Every lab with a page of its own."""
    about = t("labs.about", n=t.integer(len(data["labs"])))
    values = {"rows": data["labs"], "about": about}
    return Page("labs.html", "labs", f"{t('labs.title')} · {t('title')}", about, values)


def embed(t: Words) -> Page:
    """One chart of the main page, for a frame in another page."""
    title = f"{t('title')} · {t('tagline')}"
    return Page("embed.html", "embed", title, t("tagline"), {}, is_listed=False)
