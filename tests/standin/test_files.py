"""Files that the stand-in serves: datasets and Spaces, Epoch, the AI Index, the catalog."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.standin import StandIn
from tests.support.standin_client import (
    CATALOG,
    DATASET,
    ask,
    write,
)

# ------------------------------------------------------------- the data set and the Space


def test_the_real_client_reads_the_dataset(standin: StandIn, tiny: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    info = api.dataset_info(DATASET, files_metadata=True)
    root = tiny / "lmarena/leaderboard-dataset"
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    assert info.sha is not None
    assert info.last_modified is not None
    assert {s.rfilename: s.lfs and s.lfs.sha256 for s in info.siblings or ()} == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    tree = list(api.list_repo_tree(DATASET, repo_type="dataset", recursive=True, expand=True))
    sizes = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    assert sizes == {name: path.stat().st_size for name, path in files.items()}
    assert "singing_style_control" in {entry.path for entry in tree}
    assert {entry.last_commit.oid for entry in tree if entry.last_commit} == {info.sha}
    top = {entry.path for entry in api.list_repo_tree(DATASET, repo_type="dataset")}
    assert top == {"README.md", "singing_style_control"}
    at_commit = api.dataset_info(DATASET, revision=info.sha)
    assert at_commit.sha == info.sha
    [entry] = api.get_paths_info(DATASET, ["README.md", "none"], repo_type="dataset", expand=True)
    assert (entry.path, entry.last_commit is not None) == ("README.md", True)


def test_a_second_download_requests_only_the_etag(standin: StandIn, tmp_path: Path) -> None:
    name = "singing_style_control/full-00000-of-00001.parquet"

    def download() -> list[str]:
        before = len(standin.requests)
        got = hf_hub_download(
            DATASET,
            name,
            repo_type="dataset",
            endpoint=standin.url,
            cache_dir=tmp_path,
            token=False,
        )
        assert Path(got).read_bytes()[:4] == b"PAR1"
        return [request.method for request in standin.requests[before:]]

    assert download() == ["HEAD", "GET"]
    assert download() == ["HEAD"]


def test_snapshots_and_the_file_system_client_work(standin: StandIn, tmp_path: Path) -> None:
    folder = snapshot_download(
        DATASET, repo_type="dataset", endpoint=standin.url, cache_dir=tmp_path, token=False
    )
    assert (Path(folder) / "README.md").read_text() == "# Boards\n"
    assert len([path for path in Path(folder).rglob("*") if path.is_file()]) == 3
    files = HfFileSystem(endpoint=standin.url, token=False, skip_instance_cache=True)
    path = f"datasets/{DATASET}/singing_style_control/full-00000-of-00001.parquet"
    assert files.info(path)["size"] == 204
    with files.open(path, "rb", block_size=64) as file:
        file.seek(-3, os.SEEK_END)
        assert file.read() == bytes([197, 198, 199])
    assert 206 in {request.status for request in standin.requests}


def test_the_space_is_served_the_same_way(standin: StandIn, tmp_path: Path) -> None:
    space = "lmarena-ai/arena-leaderboard"
    api = HfApi(endpoint=standin.url, token=False)
    [table] = [sibling.rfilename for sibling in api.space_info(space).siblings or ()]
    got = api.hf_hub_download(space, table, repo_type="space", cache_dir=tmp_path)
    assert Path(got).read_text() == "key,Model\na,A\n"


def test_a_changed_file_is_a_new_commit(standin: StandIn, tiny: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    before = api.dataset_info(DATASET).sha
    write(tiny / "lmarena/leaderboard-dataset/README.md", "# More boards\n")
    after = api.dataset_info(DATASET).sha
    assert before != after
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(DATASET, revision=before)


def test_the_client_sees_which_part_was_not_found(standin: StandIn, tmp_path: Path) -> None:
    api = HfApi(endpoint=standin.url, token=False)
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("lmarena-ai/other")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("some/model", "config.json", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(
            DATASET, "README.md", repo_type="dataset", revision="dev", cache_dir=tmp_path
        )
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(DATASET, "none.parquet", repo_type="dataset", cache_dir=tmp_path)
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(DATASET, "none", repo_type="dataset"))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=200-", 206, slice(200, 204)),
        ("bytes=100-99999", 206, slice(100, 204)),
        ("bytes=-4", 206, slice(200, 204)),
        ("bytes=-9999", 206, slice(0, 204)),
        ("bytes=204-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=9-3", 200, slice(0, 204)),
        ("bytes=0-1,3-4", 200, slice(0, 204)),
        ("lines=1-2", 200, slice(0, 204)),
    ],
)
def test_ranges(standin: StandIn, asked: str, status: int, part: slice | None) -> None:
    path = f"/datasets/{DATASET}/resolve/main/singing_style_control/full-00000-of-00001.parquet"
    whole = ask(standin, path).body
    reply = ask(standin, path, Range=asked)
    assert reply.status == status
    assert reply.body == (b"" if part is None else whole[part])
    if status == 206 and part is not None:
        assert reply.headers["Content-Range"] == f"bytes {part.start}-{part.stop - 1}/204"
    if status == 416:
        assert reply.headers["Content-Range"] == "bytes */204"


def test_head_has_the_headers_of_get_and_no_body(standin: StandIn) -> None:
    path = f"/datasets/{DATASET}/resolve/main/README.md"
    head, get = ask(standin, path, method="HEAD"), ask(standin, path)
    assert head.body == b""
    assert head.headers["Content-Length"] == head.headers["X-Linked-Size"] == str(len(get.body))
    assert head.headers["ETag"] == f'"{hashlib.sha256(get.body).hexdigest()}"'
    stale = ask(standin, path, Range="bytes=0-1", If_Range='"another"')
    assert (stale.status, stale.body) == (200, get.body), "a part of another version is useless"


# ------------------------------------------------------------------------- Epoch and AI Index


def test_epoch_serves_the_newest_vintage_up_to_a_date(tiny: Path) -> None:
    def days(standin: StandIn) -> dict[str, str | None]:
        names = ("notable_ai_models", "all_ai_models", "epoch_capabilities_index", "frontier")
        replies = {name: ask(standin, f"/data/epochdb/{name}.csv") for name in names}
        return {n: r.body.decode()[-11:-1] if r.status == 200 else None for n, r in replies.items()}

    with StandIn(tiny) as standin:
        assert list(days(standin).values()) == ["2030-06-01", "2030-01-01", "2030-06-01", None]
        assert ask(standin, "/data/notable_ai_models.csv").body.endswith(b"2030-06-01\n")
    with StandIn(tiny, epoch_date="2030-05-31") as standin:
        assert list(days(standin).values()) == ["2030-01-01", "2030-01-01", None, None]
        assert ask(standin, "/data/benchmark_data.zip").status == 404


def test_epoch_zips_hold_what_is_recorded(standin: StandIn) -> None:
    def members(name: str) -> dict[str, bytes]:
        archive = zipfile.ZipFile(io.BytesIO(ask(standin, f"/data/{name}").body))
        return {member: archive.read(member) for member in archive.namelist()}

    assert list(members("benchmark_data.zip")) == ["epoch_capabilities_index.csv"]
    models = members("ai_models.zip")
    assert list(models) == ["all_ai_models.csv", "notable_ai_models.csv"]
    assert models["notable_ai_models.csv"].endswith(b"2030-06-01\n")


@pytest.mark.parametrize(
    "path", ["/data/epochdb/notable_ai_models.csv", "/data/ai_models.zip", "/ai_index/2031.zip"]
)
def test_unchanged_files_answer_304(standin: StandIn, path: str) -> None:
    first = ask(standin, path)
    etag = first.headers["ETag"]
    assert first.status == 200
    for known in (etag, f'"other", W/{etag}', "*"):
        again = ask(standin, path, If_None_Match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert ask(standin, path, If_None_Match='"other"').status == 200
    head = ask(standin, path, method="HEAD")
    assert int(head.headers["Content-Length"]) == len(first.body)


def test_epoch_says_when_a_file_was_published(standin: StandIn) -> None:
    reply = ask(standin, "/data/all_ai_models.csv")
    assert reply.headers["Last-Modified"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_ai_index_is_a_stable_zip_of_the_published_files(tiny: Path) -> None:
    bodies = []
    for _ in range(2):
        with StandIn(tiny) as standin:
            bodies.append(ask(standin, "/ai_index/2031.zip").body)
            assert ask(standin, "/ai_index/").json() == ["2031"]
            assert ask(standin, "/ai_index/2030.zip").status == 404
            assert ask(standin, "/ai_index/2031").status == 404
        for path in tiny.rglob("*.csv"):
            os.utime(path, (1, 1))  # the zip must not depend on the copy's own times
    assert bodies[0] == bodies[1]
    archive = zipfile.ZipFile(io.BytesIO(bodies[0]))
    root = "PUBLIC DATA_ 2031 AI INDEX REPORT"
    assert archive.namelist() == [
        f"{root}/1. Research/Data/fig_1.1.1.csv",
        f"{root}/2. Säule/Data/fig_2.1.1.csv",
    ]
    assert archive.read(archive.namelist()[1]) == b"\xff not UTF-8"


# --------------------------------------------------------------- the catalog's repository


def test_the_catalog_is_a_history_with_a_commit_a_day(standin: StandIn, tiny: Path) -> None:
    pages = [
        ask(standin, f"{CATALOG}/commits?path=data&per_page=1&page={page}").json()
        for page in (1, 2, 3)
    ]
    assert [len(page) for page in pages] == [1, 1, 0]
    commits = [entry for page in pages for entry in page]
    assert commits == ask(standin, f"{CATALOG}/commits?path=data").json()
    days = [entry["commit"]["author"]["date"] for entry in commits]
    assert days == ["2030-03-01T00:00:00Z", "2030-02-01T00:00:00Z"]
    assert ask(standin, f"{CATALOG}/commits?path=docs").json() == []
    newest = commits[0]["sha"]
    tree = ask(standin, f"{CATALOG}/git/trees/{newest}?recursive=1").json()
    blobs = {e["path"]: e for e in tree["tree"] if e["type"] == "blob"}
    assert sorted(blobs) == ["data/leaderboard-image.json", "data/leaderboard-text.json"]
    assert not tree["truncated"]
    for path, entry in blobs.items():
        reply = ask(standin, f"/github/raw/lmarena/arena-catalog/{newest}/{path}")
        assert len(reply.body) == entry["size"]
        counted = b"blob %d\0" % len(reply.body) + reply.body
        assert hashlib.sha1(counted).hexdigest() == entry["sha"]
        recorded = tiny / "lmarena/arena-catalog/2030-03-01" / path.removeprefix("data/")
        assert reply.body == recorded.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        f"{CATALOG}/git/trees/{'0' * 40}?recursive=1",
        f"{CATALOG}/branches",
        "/github/api/repos/lmarena/other/commits",
        f"/github/raw/lmarena/arena-catalog/{'0' * 40}/data/leaderboard-text.json",
        "/github/raw/lmarena/arena-catalog/main/data/../../../../MANIFEST.csv",
    ],
)
def test_unknown_catalog_paths_are_404(standin: StandIn, path: str) -> None:
    assert ask(standin, path).status == 404
