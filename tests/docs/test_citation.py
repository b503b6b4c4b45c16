"""CITATION.cff can be read by the tools that look for it."""

from __future__ import annotations

import tomllib

import yaml

from tests.conftest import ROOT

# The keys that the Citation File Format 1.2.0 requires, and all others that this file may use.
REQUIRED = {"cff-version", "message", "title", "authors"}
ALLOWED = REQUIRED | {
    *("type", "version", "date-released", "doi", "license", "abstract", "keywords", "url"),
    *("repository-code", "preferred-citation", "references", "contact", "identifiers"),
}


def test_the_citation_file_follows_its_format() -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert set(cff) >= REQUIRED
    assert set(cff) <= ALLOWED
    assert cff["cff-version"] == "1.2.0"
    assert cff["type"] in ("software", "dataset")
    assert all(set(author) == {"name"} for author in cff["authors"])  # an entity, not a person
    assert all(isinstance(cff[key], str) for key in ("message", "title", "version", "abstract"))
    assert len(set(cff["keywords"])) == len(cff["keywords"]) > 0


def test_the_citation_names_version_and_license_of_the_project() -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cff["version"], cff["license"]) == (project["version"], project["license"])
