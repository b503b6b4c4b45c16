"""A registry that tests may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from warehouse.registry import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the registry that the project reads instead of its own."""
    copied = shutil.copytree(load.REGISTRY, tmp_path / "registry")
    monkeypatch.setattr(load, "REGISTRY", copied)
    return copied
