"""Usage warnings: what may mislead users of a table, and what to do about it.

`warnings.yml` explains every code that a contract may use.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from warehouse.contracts.yaml_files import read_yaml

WARNINGS = Path(__file__).with_name("warnings.yml")


class UsageWarning(BaseModel):
    """One warning, as shown in the data dictionary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    what: str
    advice: str


@cache
def warnings() -> dict[str, UsageWarning]:
    """Every warning by code, in the order of the file."""
    found = read_yaml(WARNINGS)
    return {code: UsageWarning.model_validate(about) for code, about in found.items()}
