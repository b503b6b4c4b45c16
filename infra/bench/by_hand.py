"""A whole run by hand: what a good engineer writes in a day with DuckDB, COPY and boto3.

The floor of the whole run, with the same shares (tests/infra/test_bench.py). It lacks quarantine,
provenance, bounds, other sources, resumption and documents:
python -m infra.bench.by_hand PAGES_FOLDER 2026-08-01 OUT_FOLDER s3://BUCKET/PREFIX
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from datetime import date
from pathlib import Path

import boto3
import duckdb

from warehouse.contracts.table import literal
from warehouse.database import read_files
from warehouse.registry.load import REGISTRY

COLUMNS = """{id: 'VARCHAR', createdAt: 'TIMESTAMP', pipeline_tag: 'VARCHAR', downloads: 'BIGINT',
    downloadsAllTime: 'BIGINT', likes: 'BIGINT', tags: 'VARCHAR[]',
    baseModels: 'STRUCT(models STRUCT(id VARCHAR)[])'}"""
LOAD = """
CREATE TABLE models AS SELECT id AS model_id, lower(id) AS key, createdAt AS created_at,
    lower(split_part(id, '/', 1)) AS namespace, split_part(id, '/', -1) AS name, pipeline_tag,
    downloads AS downloads_30d, downloadsAllTime AS downloads_all_time, likes, tags,
    coalesce(baseModels.models, []) AS base_models FROM {pages} ORDER BY id;
CREATE TABLE labs AS SELECT DISTINCT ON (namespace) lower(n.namespace) AS namespace, lab_id,
    n.kind, country_code FROM namespaces AS n JOIN registry AS lab USING (lab_id)
WHERE system = 'hub' AND n.valid_to IS NULL AND lab.valid_to IS NULL ORDER BY ALL
"""
TRANSFORM = """
CREATE TABLE edges AS WITH declared AS (
    SELECT key AS child, lower(unnest(base_models).id) AS parent FROM models UNION ALL
    SELECT key, lower(regexp_replace(unnest(list_filter(tags, lambda t: t LIKE 'base_model:%')),
        '^base_model:((finetune|adapter|quantized|merge):)?', '')) FROM models WHERE base_models=[]
)
SELECT child, parent, 1.0 / count(*) OVER (PARTITION BY child) AS part
FROM (SELECT DISTINCT child, parent FROM declared WHERE child <> parent) ORDER BY ALL;
CREATE TABLE roots AS WITH RECURSIVE walk AS (
    SELECT child AS key, parent AS node, part AS weight, 1 AS step FROM edges UNION ALL
    SELECT key, parent, weight * part, step + 1 FROM walk JOIN edges ON child = node WHERE step < 32
), ends AS (SELECT key, node AS root, sum(weight) AS weight
    FROM walk ANTI JOIN edges ON child = node GROUP BY ALL)
SELECT key, root, weight / sum(weight) OVER (PARTITION BY key) AS weight FROM ends -- circles end
UNION ALL SELECT key, key, 1.0 FROM models ANTI JOIN ends USING (key) ORDER BY ALL;
CREATE TABLE families AS SELECT model_id, CASE {cases} END AS family_id
FROM models WHERE regexp_matches(name, {any_pattern}, 'i') ORDER BY ALL;
CREATE TABLE country_share AS WITH flagged AS (
    SELECT key, country_code, downloads_30d, downloads_all_time, likes, 1 AS models,
        CASE WHEN created_at::DATE > DATE '{day}' - 30 THEN 1 END AS new_models_30d,
        unnest(list_filter(['all',
            CASE WHEN pipeline_tag IN ('text-generation', 'image-text-to-text', 'any-to-any')
                THEN 'llm_vlm' END,
            CASE WHEN created_at::DATE > DATE '{day}' - 365 THEN 'created_1y' END,
            CASE WHEN kind IN ('lab', 'academia', 'community') THEN 'first_party' END,
            CASE WHEN coalesce(kind, '') <> 'ci' THEN 'without_ci' END
        ], lambda p: p IS NOT NULL)) AS population
    FROM models LEFT JOIN labs USING (namespace)
), credited AS (
    SELECT 'publisher' AS attribution, 1.0 AS weight, * FROM flagged UNION ALL
    SELECT 'base', roots.weight, flagged.* REPLACE (labs.country_code AS country_code)
    FROM flagged JOIN roots USING (key) LEFT JOIN labs ON labs.namespace = split_part(root, '/', 1)
), summed AS (
    SELECT attribution, population, coalesce(country_code, 'XX') AS country_code,
        sum(COLUMNS('^downloads|^likes|models') * weight) FROM credited GROUP BY ALL
)
SELECT *, amount / sum(amount) OVER (PARTITION BY attribution, population, metric) AS share
FROM (UNPIVOT summed ON COLUMNS('^downloads|^likes|models') INTO NAME metric VALUE amount)
"""
CHECKS = """
SELECT (SELECT count(*) FROM models WHERE model_id IS NULL OR created_at IS NULL OR likes < 0
        OR downloads_30d < 0 OR downloads_all_time < 0),
    (SELECT count(*) - count(DISTINCT model_id) FROM models),
    (SELECT count(*) FROM (SELECT sum(weight) w FROM roots GROUP BY key) WHERE abs(w - 1) > 1e-6)
"""


def run(pages: list[Path], day: date, out: Path, target: str) -> None:
    """Pages to a published release. Raises ValueError if a check fails or a byte was lost."""
    release = out / day.isoformat()
    release.mkdir(parents=True)
    with duckdb.connect(str(release / "by_hand.duckdb")) as con:
        for table, file in (("registry", "labs"), ("namespaces",) * 2, ("family_rules",) * 2):
            con.register(table, read_files.csv_frame(REGISTRY / f"{file}.csv"))
        con.execute(LOAD.format(pages=read_files.json(pages, f"columns = {COLUMNS}")))
        con.execute(TRANSFORM.format(day=day, **_families(con)))
        if any(failing := con.execute(CHECKS).fetchall()[0]):
            raise ValueError(f"failing rows by check: {failing}")
        _keep_history(con, out / "history", day)
        con.execute(f"EXPORT DATABASE '{release}' (FORMAT parquet, COMPRESSION zstd)")
    publish(release, target)


def _families(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The rules by priority, and one pattern that finds the few names which need them."""
    rules = con.sql("FROM family_rules WHERE system = 'hub' ORDER BY priority::INTEGER").project(
        "pattern, coalesce(lower(namespace), ''), family_id"
    )
    cases, every = "", ""
    for pattern, space, family in rules.fetchall():
        where = f" AND namespace = {literal(space)}" if space else ""
        cases += f"WHEN regexp_matches(name, {literal(pattern)}, 'i'){where} THEN '{family}' "
        every += f"|(?:{pattern})"
    return {"cases": cases, "any_pattern": literal(every[1:])}


def _keep_history(con: duckdb.DuckDBPyConnection, folder: Path, day: date) -> None:
    """The counters that changed since the newest day before."""
    folder.mkdir(exist_ok=True)
    counters = "SELECT model_id, downloads_30d, downloads_all_time, likes FROM models"
    if days := sorted(folder.iterdir()):
        last = "arg_max(COLUMNS(* EXCLUDE (model_id, filename)), filename)"
        files = read_files.parquet(days, "filename = true")
        counters += f" EXCEPT SELECT model_id, {last} FROM {files} GROUP BY model_id"
    con.execute(f"COPY ({counters} ORDER BY ALL) TO '{folder}/{day}.parquet' (COMPRESSION zstd)")


def publish(release: Path, target: str) -> None:
    """Every file is sent, read back and compared by its SHA-256; then the pointer moves."""
    s3 = boto3.client("s3") if target.startswith("s3://") else None
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    digests = {f"{release.name}/{path.name}": _sha256(path) for path in sorted(release.iterdir())}
    release.with_name("latest.json").write_text(json.dumps(digests), "utf-8")
    for name in (*digests, "latest.json"):
        path, back = release.parent / name, release.with_suffix(".back")
        if s3:
            s3.upload_file(str(path), bucket, f"{prefix}/{name}")
            s3.download_file(bucket, f"{prefix}/{name}", str(back))
        else:
            back = Path(target, name)
            back.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, back)
        if name in digests and _sha256(back) != digests[name]:
            raise ValueError(f"{target}/{name} has other bytes than {path}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    folder, as_of, out, target = sys.argv[1:]
    run(sorted(Path(folder).iterdir()), date.fromisoformat(as_of), Path(out), target)
