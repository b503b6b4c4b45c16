"""Reading YAML with the safe loader in C, where the wheel has it: it takes a tenth of the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str | bytes) -> Any:  # noqa: ANN401  whatever the text says
    """The content of a YAML text. Raises yaml.YAMLError."""
    return yaml.load(text, _LOADER)  # noqa: S506 - a safe loader


def read_yaml(path: Path) -> Any:  # noqa: ANN401  whatever the file says
    """The content of a YAML file. Raises yaml.YAMLError."""
    return parse_yaml(path.read_bytes())
