"""The Hub's writing side: repositories that clients create and commit to.

What huggingface_hub speaks without Xet: create, validate-yaml, preupload, the LFS batch with
single and multipart uploads, verify, and the commit as NDJSON. Bytes are kept by digest and
checked; a commit names the one before it, and of two on one parent the second is refused.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.standin.dataset import Repo
from tests.standin.web import Answer, Call, RefusalError, digest, json_answer

ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
LFS_SUFFIXES = {".parquet", ".duckdb", ".png", ".woff2", ".gz"}
HEADER = re.compile(r"^---\s*\n(.*?)\n---\s*\n", re.DOTALL)


class Pushes:
    """Dataset repositories below one folder; `token` is the only one that may write."""

    def __init__(self, root: Path, token: str, part_size: int) -> None:
        self.root, self.token, self.part_size = root, token, part_size
        self.objects = root / "lfs"
        self.objects.mkdir(parents=True, exist_ok=True)

    def answer(self, call: Call, url: str) -> Answer | None:
        """The response to a write request, or about a repository stored here."""
        match call.method, call.segments:
            case "POST", ("api", "validate-yaml"):
                return _validated(call)
            case "POST", ("api", "repos", "create"):
                return self._create(call, url)
            case "POST", ("api", "datasets", owner, name, "preupload", _):
                return self._preupload(call, self._mine(call, owner, name))
            case "POST", ("api", "datasets", owner, name, "commit", _):
                return self._commit(call, self._mine(call, owner, name), url)
            case "POST", ("datasets", owner, git, "info", "lfs", "objects", "batch"):
                self._mine(call, owner, git.removesuffix(".git"))
                return self._batch(call, url)
            case _, ("lfs", what, oid, *rest) if call.method in ("PUT", "POST"):
                return self._upload(call, what, oid, rest)
            case _, ("api", "datasets", owner, name, *rest) if self._folder(owner, name).is_dir():
                return self.repo(owner, name).api(call, tuple(rest))
            case _, ("datasets", owner, name, "resolve", revision, *path) if self._folder(
                owner, name
            ).is_dir():
                return self.repo(owner, name).resolve(call, revision, "/".join(path))
        return None

    def repo(self, owner: str, name: str) -> Repo:
        """A repository as it is now."""
        return Repo(self._folder(owner, name), f"{owner}/{name}", LFS_SUFFIXES)

    def _folder(self, owner: str, name: str) -> Path:
        if not all(re.fullmatch(r"[\w-][\w.-]*", part) for part in (owner, name)):
            raise RefusalError(400, f"Invalid repo name {owner}/{name}")
        return self.root / "datasets" / owner / name

    def _allowed(self, call: Call) -> None:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            raise RefusalError(401, "Invalid username or password.")

    def _mine(self, call: Call, owner: str, name: str) -> Repo:
        self._allowed(call)
        if not self._folder(owner, name).is_dir():
            raise RefusalError(404, "Repository not found", "RepoNotFound")
        return self.repo(owner, name)

    def _create(self, call: Call, url: str) -> Answer:
        self._allowed(call)
        sent = json.loads(call.body)
        if sent.get("type") != "dataset" or not sent.get("organization"):
            raise RefusalError(400, "The stand-in creates data sets of an owner only")
        folder, repo_id = (
            self._folder(sent["organization"], sent["name"]),
            f"{sent['organization']}/{sent['name']}",
        )
        repository = {"url": f"{url}/datasets/{repo_id}", "name": repo_id}
        if folder.is_dir():
            return json_answer(repository | {"error": "You already created this dataset repo"}, 409)
        folder.mkdir(parents=True)
        (folder / ".gitattributes").write_bytes(ATTRIBUTES)
        return json_answer(repository)

    def _preupload(self, call: Call, repo: Repo) -> Answer:
        there = repo.files()
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if Path(file["path"]).suffix in LFS_SUFFIXES else "regular",
                "shouldIgnore": False,
                "oid": there[file["path"]].oid if file["path"] in there else None,
            }
            for file in json.loads(call.body)["files"]
        ]
        return json_answer({"files": files})

    def _batch(self, call: Call, url: str) -> Answer:
        sent = json.loads(call.body)
        return json_answer(
            {"transfer": "basic", "objects": [self._wanted(o, url) for o in sent["objects"]]},
            headers={"Content-Type": "application/vnd.git-lfs+json"},
        )

    def _wanted(self, asked: dict[str, Any], url: str) -> dict[str, Any]:
        """Where to put an object; nothing to do for one that is here."""
        oid, size = asked["oid"], asked["size"]
        if (self.objects / _safe(oid)).exists():
            return {"oid": oid, "size": size}
        upload: dict[str, Any] = {"href": f"{url}/lfs/object/{oid}"}
        if size > self.part_size:
            parts = -(-size // self.part_size)
            header = {str(n): f"{url}/lfs/part/{oid}/{n:05d}" for n in range(1, parts + 1)}
            header["chunk_size"] = str(self.part_size)
            upload = {"href": f"{url}/lfs/complete/{oid}", "header": header}
        verify = {"href": f"{url}/lfs/verify/{oid}"}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    def _upload(self, call: Call, what: str, oid: str, rest: list[str]) -> Answer:
        parts = self.objects / f"{_safe(oid)}.parts"
        match call.method, what:
            case "PUT", "object":
                self._keep(oid, call.body)
            case "PUT", "part":
                parts.mkdir(exist_ok=True)
                (parts / _safe(rest[0])).write_bytes(call.body)
                return Answer(200, headers={"ETag": f'"{digest(call.body)[:32]}"'})
            case "POST", "complete":
                self._keep(oid, b"".join(p.read_bytes() for p in sorted(parts.iterdir())))
                shutil.rmtree(parts)
            case "POST", "verify":
                kept = self.objects / _safe(oid)
                if not kept.exists() or kept.stat().st_size != json.loads(call.body)["size"]:
                    raise RefusalError(404, "Object not found")
            case _:
                raise RefusalError(405, "Method not allowed")
        return json_answer({})

    def _keep(self, oid: str, data: bytes) -> None:
        if digest(data) != oid:
            raise RefusalError(400, "The bytes are not those of the object")
        (self.objects / _safe(oid)).write_bytes(data)

    def _commit(self, call: Call, repo: Repo, url: str) -> Answer:
        lines = [json.loads(line) for line in call.body.splitlines()]
        (header,) = [line["value"] for line in lines if line["key"] == "header"]
        if header.get("parentCommit") not in (None, repo.commit()):
            raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
        changes = list(self._changes(lines))  # all are checked before the first is applied
        for path, data in changes:
            target = repo.root / path
            if data is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        commit = repo.commit()
        where = f"{url}/datasets/{repo.repo_id}/commit/{commit}"
        return json_answer({"success": True, "commitOid": commit, "commitUrl": where})

    def _changes(self, lines: list[dict[str, Any]]) -> Iterator[tuple[str, bytes | None]]:
        for line in lines:
            value = line["value"]
            path = _safe_path(value["path"]) if "path" in value else ""
            match line["key"]:
                case "file":
                    yield path, base64.b64decode(value["content"])
                case "lfsFile":
                    kept = self.objects / _safe(value["oid"])
                    if not kept.exists():
                        raise RefusalError(400, f"LFS object of {path} was not uploaded")
                    yield path, kept.read_bytes()
                case "deletedFile":
                    yield path, None
                case "header":
                    pass
                case other:
                    raise RefusalError(400, f"The stand-in does not commit {other}")


def _validated(call: Call) -> Answer:
    """Checks that the card's header is YAML."""
    found = HEADER.match(json.loads(call.body)["content"])
    try:
        about = yaml.safe_load(found[1]) if found else {}
        errors = [] if isinstance(about, dict) else [{"message": "metadata is not a mapping"}]
    except yaml.YAMLError as error:
        errors = [{"message": str(error)}]
    return json_answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def _safe(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}|\d{5}", name):
        raise RefusalError(400, f"{name!r} is not an object")
    return name


def _safe_path(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise RefusalError(400, f"{path!r} leads out of the repository")
    return path
