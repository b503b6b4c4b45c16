"""The settings that source cards bring: an address for every card with `address`.

The field is `<source>_url`, its variable `OBSERVATORY_<SOURCE>_URL`. The Hub and GitHub serve
several sources, so their addresses are fields of `flows.settings.Settings` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model
from pydantic_settings import BaseSettings

from warehouse.contracts.source import cards

# Source -> field of Settings.
ADDRESS_FIELDS = {c.id: f"{c.id}_url" for c in cards().values() if c.address}


def _fields() -> dict[str, Any]:
    found = [c for c in cards().values() if c.address]
    return {
        ADDRESS_FIELDS[c.id]: (str, Field(c.address, description=f"Address of {c.producer}."))
        for c in found
    }


if TYPE_CHECKING:
    SourceAddresses = BaseSettings
else:
    SourceAddresses = create_model("SourceAddresses", __base__=BaseSettings, **_fields())
