"""`observatory claims add`: asks, checks, writes one entry, and shows the verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli import claims_prompts
from tests.support.command_line import call, flat, places
from tests.support.markdown import blocks, written_pages
from warehouse.claims import claim_edit, read
from warehouse.claims.claim_edit import add_claim, claim_of, claim_text, file_for, with_claim
from warehouse.claims.read import CLAIMS, ClaimError, claims, parse_claims, read_claims

FIELDS: dict[str, Any] = {
    **{"id": "an-example", "statement": "The example is first.", "publisher": "Somebody"},
    **{"source": "A page", "url": "https://example.org/a", "as_of": date(2026, 8, 15)},
    **{"period": "15 August 2026", "quantity": "rank", "meaning": "plain"},
    "data_needed": "A listing.",
}
MEASURE = {"label": "Example", "unit": "rank", "relation": "at_most", "stated": 3.0}
CHECK = {"test": "model_rank", "names": ["deepseek-ai/DeepSeek-R1"], "metric": "likes"}
OPTIONS = [
    *(f"--{name.replace('_', '-')}={value}" for name, value in (FIELDS | MEASURE).items()),
    *("--test=model_rank", "--parameter=names=deepseek-ai/DeepSeek-R1"),
    *("--parameter=metric=likes", "--definition=by likes"),
]


def an_example(**change: Any) -> Any:
    measure = {"id": "value", **MEASURE, "check": CHECK}
    own = {"id": "as_stated", "says": "by likes", "is_own": True}
    return claim_of({**FIELDS, "measures": [measure], "definitions": [own], **change})


@pytest.fixture
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the files of statements; commands of the test write there."""
    folder = Path(shutil.copytree(CLAIMS, tmp_path / "statements"))
    for module in (claim_edit, read):
        monkeypatch.setattr(module, "CLAIMS", folder)
    claims.cache_clear()
    yield folder
    claims.cache_clear()


# ---- the entry in its file ----------------------------------------------------------------------


def test_an_entry_is_read_as_the_same_claim() -> None:
    text = claim_text(an_example())
    assert parse_claims(text, "x") == (an_example(),)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("path", sorted(CLAIMS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_claim_can_be_written_again(path: Path) -> None:
    for claim in read_claims(path):
        assert parse_claims(claim_text(claim), "x") == (claim,)


def test_the_other_entries_keep_every_byte(statements: Path) -> None:
    path = statements / "arena.yml"
    before = path.read_bytes()
    add_claim(an_example(), path)
    after = path.read_bytes()
    entry = claim_text(an_example()).encode()
    assert after.replace(entry, b"").rstrip() == before.rstrip()
    assert {c.id for c in read_claims(path)} >= {"an-example"}


def test_a_sorted_file_stays_sorted() -> None:
    text = "".join(claim_text(an_example(id=name)) + "\n" for name in ("a", "c"))
    found = [c.id for c in parse_claims(with_claim(text, an_example(id="b")), "x")]
    assert found == ["a", "b", "c"]
    assert [c.id for c in parse_claims(with_claim("", an_example()), "x")] == ["an-example"]


def test_the_file_is_the_one_that_uses_the_test_most() -> None:
    assert file_for(an_example(measures=[{"id": "v", **MEASURE, "check": {"test": "outside"}}]))
    chosen = file_for(an_example())
    uses = [m.check.model_dump()["test"] for c in read_claims(chosen) for m in c.measures]
    assert "model_rank" in uses


def test_an_id_is_added_once(statements: Path) -> None:
    add_claim(an_example(), statements / "arena.yml")
    with pytest.raises(ClaimError, match="already exists"):
        add_claim(an_example(), statements / "outside.yml")


def test_a_damaged_file_is_not_written(statements: Path) -> None:
    path = statements / "outside.yml"
    path.write_text("- id: x\n  statement: [\n", "utf-8")
    before = path.read_bytes()
    with pytest.raises(ClaimError):
        add_claim(an_example(), statements / "arena.yml")
    assert path.read_bytes() == before
    assert "an-example" not in (statements / "arena.yml").read_text("utf-8")


# ---- the command --------------------------------------------------------------------------------


def test_options_give_a_verdict_at_once(statements: Path, sampled: tuple[Path, str]) -> None:
    warehouse = places(sampled[0])[0]
    done = call("claims", "add", *OPTIONS, "--to=arena", warehouse, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [v["moment"] for v in found["verdicts"]] == ["stated", "newest"]
    assert found["file"] == str(statements / "arena.yml")
    assert all(v["reason"] for v in found["verdicts"])
    assert {t["test"] for t in found["trials"]} == {"model_rank"}
    assert any(c.id == "an-example" for c in claims())


def test_a_dry_run_writes_nothing(statements: Path, sampled: tuple[Path, str]) -> None:
    before = {p: p.read_bytes() for p in statements.iterdir()}
    done = call("claims", "add", *OPTIONS, places(sampled[0])[0], "--dry-run")
    assert done.exit_code == 0, done.output
    assert "- id: an-example" in done.stdout
    assert "when published" in done.stdout
    assert "not written (dry run)" in flat(done.stdout)
    assert {p: p.read_bytes() for p in statements.iterdir()} == before


def test_a_file_of_fields_is_read(
    statements: Path, sampled: tuple[Path, str], tmp_path: Path
) -> None:
    given = tmp_path / "new.yml"
    given.write_text(claim_text(an_example()), "utf-8")
    warehouse = places(sampled[0])[0]
    done = call("claims", "add", f"--file={given}", "--id=another", warehouse)
    assert done.exit_code == 0, done.output
    assert "added to" in done.stdout
    assert "claim.another" in flat(done.stdout)
    assert {c.id for c in claims()} >= {"another"}


@pytest.mark.parametrize(
    ("without", "what"),
    [
        ("--statement", "statement: required; add it"),
        ("--test", "no such test; use one of hub_share"),
        ("--unit", "unit: required; add it"),
    ],
)
def test_what_is_missing_is_named(statements: Path, without: str, what: str) -> None:
    given = [option for option in OPTIONS if not option.startswith(f"{without}=")]
    done = call("claims", "add", *given)
    assert done.exit_code == 5
    assert what in flat(done.stderr)


def test_a_wrong_value_is_explained(statements: Path) -> None:
    wrong = [o.replace("metric=likes", "metric=hearts") for o in OPTIONS]
    done = call("claims", "add", *wrong)
    assert done.exit_code == 5
    assert "'hearts' is not allowed; use 'downloads_30d'" in flat(done.stderr)
    assert call("claims", "add", *OPTIONS, "--parameter=top").exit_code == 2
    assert "use one of" in flat(call("claims", "add", *OPTIONS, "--to=nowhere").stderr)


def test_without_a_warehouse_nothing_is_written(statements: Path, tmp_path: Path) -> None:
    done = call("claims", "add", *OPTIONS, f"--warehouse={tmp_path / 'none.duckdb'}")
    assert done.exit_code == 5
    assert not any(c.id == "an-example" for c in claims())


def test_questions_give_the_same_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(
        [
            *("The example is first.", "an-example", "Somebody", "A page"),
            *("https://example.org/a", "", "", "2026-08-15", "15 August 2026", "rank", ""),
            *("plain", "", "", "A listing."),
            *("no_such_test", "model_rank", "deepseek-ai/DeepSeek-R1", "likes"),
            *("by likes", "Example", "rank", "at_most", "3", "0"),
        ]
    )
    monkeypatch.setattr(claims_prompts.typer, "prompt", lambda *_args, **_given: next(answers))
    about, measure, check, says = claims_prompts.ask_for_missing({}, {}, {}, None)
    own = {"id": "as_stated", "says": says, "is_own": True}
    fields = {**about, "measures": [{"id": "value", **measure, "check": check}]}
    assert claim_of({**fields, "definitions": [own]}) == an_example()
    assert list(answers) == []


def test_days_that_are_typed_are_days() -> None:
    assert claim_of({**yaml.safe_load(claim_text(an_example()))[0], "as_of": "2026-08-15"}) == (
        an_example()
    )


def test_the_entry_of_the_page_is_a_claim() -> None:
    page = "docs/claims.md"
    (entry,) = [b.code for b in blocks(page, written_pages()[page]) if b.language == "yaml"]
    claim = claim_of(claim_edit.fields_of(entry, page), page)
    assert [m.id for m in claim.measures] == ["downloads", "likes"]
