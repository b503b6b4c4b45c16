"""The floors: the same work as one hand-written DuckDB statement on the same input.

A floor has none of our guarantees (odd values, exact sums, reviewed exceptions): it is the minimum
that the engine needs. Threads and memory are DuckDB's defaults, as in our code.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from expectations.rules import rules_for
from infra.bench import by_hand
from infra.bench.generate import FIRST_DAY
from infra.bench.ours import VALIDATED, WRITTEN, Work
from infra.bench.places import NEXT_DAY, Place
from infra.bench.places import load as load_day
from warehouse.contracts.table import Column, Contract, contract, literal, quote
from warehouse.database import duckdb_file, read_files

_ITEM = """{'_id': 'VARCHAR', 'id': 'VARCHAR', 'author': 'VARCHAR', 'createdAt': 'TIMESTAMP',
    'lastModified': 'TIMESTAMP', 'downloads': 'BIGINT', 'downloadsAllTime': 'BIGINT',
    'likes': 'BIGINT', 'trendingScore': 'DOUBLE', 'gated': 'VARCHAR', 'pipeline_tag': 'VARCHAR',
    'library_name': 'VARCHAR', 'tags': 'VARCHAR', 'baseModels': 'VARCHAR',
    'safetensors': 'STRUCT(total BIGINT)'}"""

ITEM = "* EXCLUDE (safetensors), safetensors.total AS parameters_total"
MODELS = """
CREATE TABLE floor_models AS
SELECT model_id_hf, model_key, object_id_hf, author, created_at, first_seen_date, last_seen_date,
    pipeline_tag, library_name, license, gated, parameters_total,
    pipeline_tag IN ('text-generation', 'image-text-to-text', 'any-to-any') AS is_llm_vlm
FROM unpublished.raw.hub_known_models ORDER BY model_id_hf;
CREATE TABLE floor_counters AS
SELECT snapshot_date AS as_of_date, model_id_hf, downloads_30d, downloads_all_time, likes,
    trending_score FROM raw.hub_models ORDER BY 1, 2
"""
LINEAGE = r"""
CREATE TABLE floor_edges AS
WITH declared AS (
    SELECT lower(model_id_hf) AS child, lower(unnest(
        regexp_extract_all(base_models_json, '"id"\s*:\s*"([^"\\]+)"', 1))) AS parent
    FROM raw.hub_models WHERE base_models_json IS NOT NULL
    UNION ALL
    SELECT lower(model_id_hf), lower(regexp_replace(
        unnest(regexp_extract_all(tags_json, '"base_model:([^"\\]+)"', 1)),
        '^(finetune|adapter|quantized|merge):', ''))
    FROM raw.hub_models WHERE contains(tags_json, '"base_model:')
        AND NOT coalesce(contains(base_models_json, '"id"'), false)
)
SELECT child, parent, 1.0 / count(*) OVER (PARTITION BY child) AS part
FROM (SELECT DISTINCT child, parent FROM declared WHERE child <> parent) ORDER BY 1, 2;
CREATE TABLE floor_roots AS
WITH RECURSIVE walk AS (
    SELECT child AS model, parent AS node, part AS weight, 1 AS depth FROM floor_edges
    UNION ALL
    SELECT model, parent, weight * part, depth + 1
    FROM walk JOIN floor_edges ON child = node WHERE depth < 32
)
SELECT model, node AS root, sum(weight) AS weight, max(depth) AS depth
FROM walk WHERE node NOT IN (SELECT child FROM floor_edges) GROUP BY ALL
UNION ALL
SELECT model_id_hf, model_id_hf, 1.0, 0 FROM core.hub_models
WHERE lower(model_id_hf) NOT IN (SELECT child FROM floor_edges) ORDER BY 1, 2
"""
SHARES = """
CREATE TABLE floor_shares AS
WITH names AS (
    SELECT DISTINCT ON (namespace_key) namespace_key, lab_id, n.kind, country_code
    FROM core.namespaces AS n JOIN core.labs AS l USING (lab_id)
    WHERE system = 'hub' AND l.valid_to IS NULL AND n.valid_to IS NULL
), named AS (
    SELECT model_name, family_id FROM core.model_families WHERE system = 'hub'
), counted AS (
    SELECT c.model_id_hf, author, downloads_30d, downloads_all_time, likes,
        coalesce(is_llm_vlm, false) AS llm_vlm,
        created_at::DATE > as_of_date - 365 AS created_1y,
        created_at::DATE > as_of_date - 30 AS created_30d,
        coalesce(kind IN ('lab', 'academia', 'community'), false) AS first_party,
        coalesce(kind <> 'ci', true) AS without_ci, lab_id, country_code, family_id
    FROM core.hub_daily_counters AS c JOIN core.hub_models AS m USING (model_id_hf)
    LEFT JOIN names ON namespace_key = lower(author)
    LEFT JOIN named ON model_name = c.model_id_hf
), credited AS (
    SELECT 'publisher' AS attribution, 1.0 AS weight, * EXCLUDE (model_id_hf, author) FROM counted
    UNION ALL
    SELECT 'base', weight, c.* EXCLUDE (model_id_hf, author, lab_id, country_code, family_id),
        names.lab_id, names.country_code, named.family_id
    FROM counted AS c JOIN core.hub_model_roots USING (model_id_hf)
    LEFT JOIN names ON namespace_key = lower(split_part(root_model_id_hf, '/', 1))
    LEFT JOIN named ON model_name = root_model_id_hf
)
SELECT attribution, lab_id, country_code, family_id, llm_vlm, created_1y, first_party, without_ci,
    count(*) AS models, sum(downloads_30d * weight) AS downloads_30d,
    sum(downloads_all_time * weight) AS downloads_all_time, sum(likes * weight) AS likes,
    sum(created_30d::INTEGER * weight) AS new_models, count(downloads_30d) AS with_30d,
    count(downloads_all_time) AS with_all_time, count(likes) AS with_likes
FROM credited GROUP BY ALL
"""


def load(place: Place, scratch: Path) -> Work:
    """Typed reading of the pages into a table on disk."""

    def work() -> None:
        with duckdb.connect(str(scratch / "floor.duckdb")) as con:
            con.execute(f"CREATE TABLE models AS SELECT {ITEM} FROM {pages_sql(place)}")

    return work


def pages_sql(place: Place) -> str:
    """The first day's items, typed."""
    size = "maximum_object_size = 268435456"
    options = ("format = 'array'", f"columns = {_ITEM}", "filename = true", size)
    return read_files.json(place.pages(), *options)


def history(place: Place, scratch: Path) -> Work:
    """As Parquet: the counters and the records that changed, and the new day's counters."""
    path = scratch / "loaded.duckdb"
    load_day(place, path, NEXT_DAY)
    counters = "coalesce(object_id_hf, model_id_hf) AS id, downloads_30d, downloads_all_time, likes"
    before, now = (
        f"SELECT {counters} FROM before.raw.hub_models",
        f"SELECT {counters} FROM raw.hub_models",
    )
    record = """SELECT object_id_hf, hash(model_id_hf, author, created_at, pipeline_tag,
        library_name, gated, parameters_total, tags_json, base_models_json) AS digest"""
    queries = {
        "changed": f"{now} EXCEPT {before} ORDER BY id",
        "records": f"""FROM raw.hub_models SEMI JOIN (({record} FROM raw.hub_models)
            ANTI JOIN ({record} FROM before.raw.hub_models) USING (object_id_hf, digest))
            USING (object_id_hf) ORDER BY object_id_hf""",
        "counters": f"{now} ORDER BY id",
    }

    def work() -> None:
        with duckdb_file.connect(path) as con:
            con.execute(f"ATTACH {literal(str(place.built))} AS before (READ_ONLY)")
            for name, query in queries.items():
                con.execute(f"COPY ({query}) TO {literal(str(scratch / name))} (FORMAT parquet)")

    return work


def names(place: Place, scratch: Path) -> Work:
    """Families by the rules' patterns, and the folded names."""
    path = place.copy_of_built(scratch)

    def work() -> None:
        with duckdb_file.connect(path) as con:
            con.execute(_families_sql(con))
            con.execute(
                """CREATE TABLE floor_identities AS
                SELECT DISTINCT model_id_hf, coalesce(model_id, 'hub:' || lower(trim(model_id_hf)))
                FROM core.hub_models LEFT JOIN raw.registry_model_aliases AS a
                ON a.system = 'hub' AND a.name = model_id_hf ORDER BY 1"""
            )

    return work


def _families_sql(con: duckdb.DuckDBPyConnection) -> str:
    """Each rule's pattern as a constant, on the names that can match it at all."""
    rules = con.execute(
        "SELECT lower(namespace), pattern, family_id, priority FROM raw.registry_family_rules "
        "WHERE system = 'hub'"
    ).fetchall()
    open_patterns = "|".join(f"(?:{pattern})" for space, pattern, *_ in rules if space is None)
    claims = " UNION ALL ".join(
        f"SELECT model_id_hf, {literal(family)} AS family_id, {priority} AS priority "
        + (f"FROM spaced WHERE space = {literal(space)} AND" if space else "FROM anywhere WHERE")
        + f" regexp_matches(name, {literal(pattern)}, 'i')"
        for space, pattern, family, priority in rules
    )
    return f"""CREATE TABLE floor_families AS
    WITH models AS (SELECT model_id_hf, lower(split_part(model_id_hf, '/', 1)) AS space,
        split_part(model_id_hf, '/', -1) AS name FROM core.hub_models),
    spaced AS MATERIALIZED (FROM models SEMI JOIN (
        SELECT lower(namespace) AS space FROM raw.registry_family_rules) USING (space)),
    anywhere AS MATERIALIZED (
        FROM models WHERE regexp_matches(name, {literal(open_patterns or "(?!)")}, 'i'))
    SELECT model_id_hf, arg_min(family_id, priority) AS family_id FROM ({claims})
    GROUP BY ALL ORDER BY 1"""


def statement(sql: str) -> Callable[[Place, Path], Work]:
    """A statement on a copy of the warehouse."""

    def task(place: Place, scratch: Path) -> Work:
        path = place.copy_of_built(scratch)

        def work() -> None:
            with duckdb_file.connect(path) as con:
                con.execute(sql)

        return work

    return task


def validation(place: Place, scratch: Path) -> Work:
    """One query a table: every promise of its contract and every rule, counted."""
    queries = [checks_sql(contract(table)) for table in VALIDATED]

    def work() -> None:
        with duckdb_file.connect(place.built, read_only=True) as con:
            for query in queries:
                con.execute(query).fetchall()

    return work


def checks_sql(table: Contract) -> str:
    """The same checks as the suite of a table, as one statement."""
    within = [
        f"count(*) FILTER (WHERE {condition})"
        for name, column in table.columns.items()
        for condition in _faults(quote(name), column)
    ]
    keys = ", ".join(map(quote, table.key))
    rest = [f"SELECT {keys} FROM {table.sql_name} GROUP BY {keys} HAVING count(*) > 1"]
    rest += [
        f"SELECT 1 FROM {table.sql_name} AS b WHERE {quote(name)} IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {_table_of(column.references)} AS o "
        f"WHERE o.{quote(column.references.split('.')[-1])} = b.{quote(name)})"
        for name, column in table.columns.items()
        if column.references
    ]
    rest += [rule.sql.replace("{batch}", table.sql_name) for rule in rules_for(table)]
    counted = ", ".join(["count(*)", *within])
    others = ", ".join(f"(SELECT count(*) FROM ({query}))" for query in rest)
    return f"SELECT *, {others} FROM (SELECT {counted} FROM {table.sql_name})"


def _table_of(reference: str) -> str:
    return ".".join(map(quote, reference.split(".")[:2]))


def _faults(sql: str, column: Column) -> list[str]:
    """Conditions of rows at fault."""
    found = [] if column.nullable else [f"{sql} IS NULL"]
    if column.values is not None:
        found.append(f"{sql} NOT IN ({', '.join(map(literal, column.values))})")
    limits = ((column.min, "<"), (column.max, ">"))
    bounds = " OR ".join(f"{sql} {sign} {bound!r}" for bound, sign in limits if bound is not None)
    found += [bounds] if bounds else []
    return found + ([f"NOT isfinite({sql})"] if column.type == "DOUBLE" else [])


def parquet(place: Place, scratch: Path) -> Work:
    """COPY of each table in the order of its key."""
    return lambda: _copy_tables(place, scratch)


def _copy_tables(place: Place, folder: Path) -> None:
    with duckdb_file.connect(place.built, read_only=True) as con:
        for table in map(contract, WRITTEN):
            keys, path = ", ".join(map(quote, table.key)), folder / f"{table.table}.parquet"
            con.execute(
                f"COPY (FROM {table.sql_name} ORDER BY {keys}) TO {literal(str(path))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )


def publish(place: Place, scratch: Path) -> Work:
    """Parquet and the DuckDB file, each written once in the place, hashed once, read back once."""
    release, target = scratch / "release", scratch / "published"

    def work() -> None:
        release.mkdir()
        _copy_tables(place, release)
        (release / place.built.name).hardlink_to(place.built)
        by_hand.publish(release, str(target))
        os.sync()

    return work


def whole(place: Place, scratch: Path) -> Work:
    """One script for the whole run (`infra.bench.by_hand`)."""
    pages = [Path(page) for page in place.pages()]
    return lambda: by_hand.run(pages, FIRST_DAY, scratch / "out", str(scratch / "published"))
