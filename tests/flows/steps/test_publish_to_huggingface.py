"""Publishing a release on the Hub: one commit, made by the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import huggingface_hub.constants
import pytest
import yaml
from typer.testing import CliRunner

from flows.cli.app import app
from flows.settings import Settings
from flows.steps.publish_to_huggingface import Change, publish_to_hub
from tests.standin import Answer, Call, RefusalError, StandIn
from tests.standin.push import Pushes
from tests.support.releases import AS_OF, CODE, build_warehouse, small_cards, small_tables
from warehouse.releases.manifest import FileEntry, Manifest, ReleaseError
from warehouse.releases.stage import stage_release
from warehouse.storage.files import file_sha256

REPO, TOKEN = "someone/observatory", "hf_of_the_test"


class Hub(StandIn):
    """The stand-in Hub, with an optional race between two commits."""

    before_commit: Any = None

    def answer(self, call: Call) -> Answer:
        if self.before_commit and "commit" in call.segments:
            self.before_commit, run = None, self.before_commit
            run()
        return super().answer(call)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that accepts commits with one token, in parts of 400 kB."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (tmp_path / "empty").mkdir()
    pushes = Pushes(tmp_path / "hub", TOKEN, part_size=400_000)
    with Hub(tmp_path / "empty", pushes=pushes) as server:
        yield server


def release(folder: Path, audience: str = "public", models: int = 50) -> tuple[Path, Manifest]:
    manifest = stage_release(
        build_warehouse(folder.with_suffix(".duckdb"), models=models), folder,
        audience=audience, as_of=AS_OF, code=CODE, sample=False,  # type: ignore[arg-type]
        tables=small_tables(), source_cards=small_cards(),
    )  # fmt: skip
    return folder, manifest


def push(hub: Hub, staged: tuple[Path, Manifest], *, commit: bool = True) -> Change:
    return publish_to_hub(Settings(hub_url=hub.url), REPO, *staged, commit=commit)


def held(hub: Hub) -> Path:
    assert hub.pushes is not None
    return hub.pushes.root / "datasets" / REPO


def commits(hub: Hub) -> int:
    return sum("/commit/" in r.path and r.status == 200 for r in hub.requests)


def test_the_repository_becomes_the_release(hub: Hub, tmp_path: Path) -> None:
    staged = release(tmp_path / "a")
    change = push(hub, staged)
    assert (change.is_new, commits(hub)) == (True, 1)
    assert change.commit
    for entry in staged[1].objects:
        assert file_sha256(held(hub) / entry.path) == entry.sha256
    assert (held(hub) / "manifest.json").read_bytes() == staged[1].to_json()
    parts = {r.path for r in hub.requests if r.path.startswith("/lfs/part/")}
    assert len(parts) > 2  # the DuckDB file went up in parts
    assert any(r.path.startswith("/lfs/object/") for r in hub.requests)


def test_a_dry_run_sends_nothing(hub: Hub, tmp_path: Path) -> None:
    change = push(hub, release(tmp_path / "a"), commit=False)
    assert "core.counts.parquet" in change.adds
    assert change.commit is None
    assert not held(hub).exists()
    assert {r.method for r in hub.requests} == {"GET"}


def test_the_same_release_is_not_committed_again(hub: Hub, tmp_path: Path) -> None:
    push(hub, release(tmp_path / "a"))
    again = release(tmp_path / "b")  # its DuckDB file differs in a random number
    change = push(hub, again)
    assert change.is_empty
    assert (change.commit, commits(hub)) == (None, 1)


def test_the_next_release_uploads_changes_and_deletes_removed_files(
    hub: Hub, tmp_path: Path
) -> None:
    _, manifest = release(tmp_path / "a")
    gone = FileEntry(path="mart.gone.parquet", bytes=4, sha256="0" * 64)
    push(hub, (tmp_path / "a", manifest))
    listed = manifest.model_copy(update={"files": (*manifest.files, gone)})
    (held(hub) / "manifest.json").write_bytes(listed.to_json())
    for name in ("mart.gone.parquet", "theirs.csv"):
        (held(hub) / name).write_bytes(b"gone")
    staged = release(tmp_path / "b", models=60)
    change = push(hub, staged)
    assert change.deletes == ("mart.gone.parquet",)
    assert "core.counts.parquet" in change.adds
    assert "mart.by_country.parquet" not in change.adds  # the same bytes
    files = {p.relative_to(held(hub)).as_posix() for p in held(hub).rglob("*") if p.is_file()}
    assert files == {".gitattributes", "README.md", "manifest.json", "theirs.csv",
                     *(o.path for o in staged[1].objects)}  # fmt: skip


def test_an_earlier_release_does_not_replace_a_later_one(hub: Hub, tmp_path: Path) -> None:
    folder, manifest = release(tmp_path / "a")
    push(hub, (folder, manifest))
    earlier = manifest.model_copy(update={"as_of": manifest.as_of - timedelta(days=1)})
    with pytest.raises(ReleaseError, match="nothing was committed: check the clock"):
        push(hub, (folder, earlier))


def test_a_damaged_file_on_the_hub_is_replaced(hub: Hub, tmp_path: Path) -> None:
    staged = release(tmp_path / "a")
    push(hub, staged)
    (held(hub) / "core.counts.parquet").write_bytes(b"damaged")
    assert "core.counts.parquet" in push(hub, staged).adds
    assert commits(hub) == 2
    (held(hub) / "manifest.json").write_text("no manifest")
    assert "manifest.json" in push(hub, staged).adds


def test_an_internal_release_is_never_uploaded(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="only a public release"):
        push(hub, release(tmp_path / "a", audience="internal"))
    assert hub.requests == []


def test_without_a_token_nothing_is_sent(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = release(tmp_path / "a")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ReleaseError, match="HF_TOKEN is not set"):
        push(hub, staged)
    assert push(hub, staged, commit=False).adds
    assert not any("authorization" in r.headers for r in hub.requests)


def test_a_token_without_write_access_is_an_error_that_does_not_show_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_one")
    with pytest.raises(ReleaseError, match="HTTP 401") as caught:
        push(hub, release(tmp_path / "a"))
    assert "hf_wrong_one" not in str(caught.value)
    assert not held(hub).exists()


def _answers(status: int, body: bytes, headers: dict[str, str]) -> type[Hub]:
    class Fixed(Hub):
        def answer(self, call: Call) -> Answer:
            return Answer(status, body, headers)

    return Fixed


FAULTS = {
    "no server": (None, "cannot be reached (ConnectError"),
    "a page of a proxy": (
        _answers(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}),
        "not a response of the Hub (JSONDecodeError",
    ),
    "other JSON": (_answers(200, b"[1]", {}), "not a response of the Hub ("),
    "redirects without end": (
        _answers(302, b"", {"Location": "/again"}), "cannot be reached (TooManyRedirects"
    ),
    "a redirect to nowhere": (
        _answers(302, b"", {"Location": "ftp://x/y"}), "cannot be reached (UnsupportedProtocol"
    ),
    "damaged encoding": (
        _answers(200, b"x", {"Content-Encoding": "gzip"}), "not a response of the Hub (JSON"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_hub_that_does_not_answer_as_one_is_an_error_of_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kind, message = FAULTS[name]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (tmp_path / "empty").mkdir()
    manifest = Manifest.model_construct(audience="public", release_id="x")
    monkeypatch.setattr("flows.steps.publish_to_huggingface.card", lambda *_: "card")
    with (kind or Hub)(tmp_path / "empty", pushes=Pushes(tmp_path, TOKEN, 1)) as server:
        url = server.url if kind else "http://127.0.0.1:9"
        with pytest.raises(ReleaseError) as failed:
            publish_to_hub(Settings(hub_url=url), REPO, tmp_path, manifest, commit=True)
    assert str(failed.value).startswith(f"{url}")
    assert message in str(failed.value)
    assert TOKEN not in str(failed.value)


def test_offline_mode_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "is_offline_mode", lambda: True)
    manifest = Manifest.model_construct(audience="public", release_id="x")
    monkeypatch.setattr("flows.steps.publish_to_huggingface.card", lambda *_: "card")
    with pytest.raises(ReleaseError, match="offline mode is on; unset HF_HUB_OFFLINE"):
        publish_to_hub(Settings(), REPO, tmp_path, manifest, commit=False)


def test_of_two_concurrent_commits_the_second_fails(hub: Hub, tmp_path: Path) -> None:
    push(hub, release(tmp_path / "a"))
    other = held(hub) / "core.counts.parquet"
    hub.before_commit = lambda: other.write_bytes(b"the commit of another")
    with pytest.raises(ReleaseError, match="another commit was made"):
        push(hub, release(tmp_path / "b", models=60))
    assert other.read_bytes() == b"the commit of another"


def test_an_interrupted_upload_commits_nothing(hub: Hub, tmp_path: Path) -> None:
    staged = release(tmp_path / "a")
    push(hub, staged)
    before = (held(hub) / "manifest.json").read_bytes()

    def refuse() -> None:
        raise RefusalError(400, "disk full")

    hub.before_commit = refuse
    with pytest.raises(ReleaseError, match="disk full"):
        push(hub, release(tmp_path / "b", models=60))
    assert (held(hub) / "manifest.json").read_bytes() == before


def test_the_card_has_a_config_for_every_filled_table(hub: Hub, tmp_path: Path) -> None:
    staged = release(tmp_path / "a")
    push(hub, staged)
    text = (held(hub) / "README.md").read_text("utf-8")
    _, header, body = text.split("---\n", 2)
    about = yaml.safe_load(header)
    configs = {c["config_name"]: c["data_files"][0]["path"] for c in about["configs"]}
    offered = {t.name: t.path for t in staged[1].tables if t.rows and not t.name.startswith("raw.")}
    assert configs == offered
    assert [*configs] == sorted(configs, key=lambda name: (name.startswith("core."), name))
    assert about["size_categories"] == ["n<1K"]
    assert "open, example.org" in body
    assert "strict, example.org" not in text
    assert all((held(hub) / path).exists() for path in configs.values())


def test_the_sample_is_published_from_the_command_line(hub: Hub, sampled: tuple[Path, str]) -> None:
    options = [f"--warehouse={sampled[0] / 'observatory.duckdb'}", "--json"]
    env = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    told = CliRunner().invoke(app, ["publish-hub", REPO, "--yes", *options], env=env)
    assert told.exit_code == 0, told.output
    done = json.loads(told.stdout)
    assert done["commit"]
    assert "observatory.duckdb" in done["adds"]
    with duckdb.connect(str(held(hub) / "observatory.duckdb"), read_only=True) as con:
        assert con.execute("SELECT audience, is_sample FROM meta.release").fetchall() == [
            ("public", True)
        ]
    card = (held(hub) / "README.md").read_text("utf-8")
    query = card.split("```sql\n")[1].split("```")[0]
    local = query.replace(f"hf://datasets/{REPO}", str(held(hub)))
    assert local != query
    shares = duckdb.sql(local).fetchall()  # the card's own snippet, on the repository's files
    assert {country for _, country, *_ in shares} == {"China", "United States"}
    assert f'load_dataset("{REPO}", "mart.country_share_daily", split="train")' in card
    bad = CliRunner().invoke(app, ["publish-hub", "no-owner", *options], env=env)
    assert bad.exit_code == 2
