"""The picture that is shown where a link to the page is shared: the two largest shares.

1,200 x 630 pixels, as Open Graph asks for. The words are English, because the font that comes with
Pillow has Latin letters only; so the picture is the same on every machine.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from warehouse.releases.manifest import Manifest
from warehouse.site.i18n import words
from warehouse.site.release_tables import released
from warehouse.site.sections.shares import shares
from warehouse.site.views.index import data_panel, definition, leading

SIZE = (1200, 630)
MARGIN, WIDTH = 70, 1060
PAPER, INK, SOFT, RULE = "#fcfbf8", "#1c1b19", "#57534c", "#d9d5cb"
BAND, COLORS = "#a79f8d", {"US": "#1f5f9e", "CN": "#b3341a"}
OTHER = "#0b6e69"


def write_picture(path: Path, data: dict[str, Any], manifest: Manifest) -> None:
    """Writes the PNG of a release. Without shares it has the title and the source only."""
    source = words("en")(
        "tools.sourceline", release=manifest.release_id, day=words("en").day(manifest.as_of)
    )
    path.write_bytes(_drawn(data, source, is_sample=manifest.is_sample))


def warehouse_picture(warehouse: Path) -> bytes:
    """The PNG of a warehouse file that is not published yet."""
    with released(warehouse) as tables:
        data = {"shares": shares(tables)}
        as_of, is_sample = tables.read("meta.build").select("as_of", "is_sample").row(0)
    return _drawn(data, words("en")("lead.asof", day=words("en").day(as_of)), is_sample=is_sample)


def _drawn(data: dict[str, Any], source: str, *, is_sample: bool) -> bytes:
    image = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(image)
    t = words("en")
    _text(draw, 60, t("title"), 30, SOFT)
    _text(draw, 105, t("tagline"), 41, INK)
    draw.line((MARGIN, 172, MARGIN + WIDTH, 172), RULE, 2)
    for i, row in enumerate(leading(data, t)):
        _share(draw, 188 + 150 * i, row["country"], t.percent(row["share"]), row)
    about = definition(data, t).split(" · ")
    if about != [""]:
        panel = t("sample") if is_sample else data_panel(data, t)
        _text(draw, 498, " · ".join(about[:2] + about[4:]), 22, SOFT)
        _text(draw, 533, panel, 22, INK)
    _text(draw, 568, source, 22, SOFT)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _share(draw: ImageDraw.ImageDraw, top: int, name: str, share: str, row: dict[str, Any]) -> None:
    """A country, its share in large figures, and its bounds on a scale from 0 to 100 %."""
    color = COLORS.get(row["id"], OTHER)
    _text(draw, top + 8, name, 40, INK)
    draw.text((MARGIN + WIDTH, top - 10), share, color, _font(84), anchor="ra")
    axis = top + 96
    draw.line((MARGIN, axis, MARGIN + WIDTH, axis), RULE, 3)
    at = [MARGIN + WIDTH * row[key] / 1000 for key in ("lower", "upper", "share")]
    draw.rectangle((at[0], axis - 9, at[1], axis + 9), BAND)
    draw.rectangle((at[2] - 5, axis - 22, at[2] + 5, axis + 22), color)


def _text(draw: ImageDraw.ImageDraw, top: int, text: str, size: int, color: str) -> None:
    """A line of text, smaller if it would not fit."""
    while draw.textlength(text, _font(size)) > WIDTH:
        size -= 1
    draw.text((MARGIN, top), text, color, _font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
