"""The peers, common alternatives: dlt to load, pandas to transform, Great Expectations on pandas
batches to validate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from infra.bench.floors import ITEM, pages_sql
from infra.bench.ours import VALIDATED, WRITTEN, Work
from infra.bench.places import Place
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file

MAX_DEPTH = 32
Frame: TypeAlias = Any  # pandas and Great Expectations have no types


def load(place: Place, scratch: Path) -> Work:
    """dlt: loads the same page files, item by item, into a DuckDB file."""
    archive, snapshot = place.archive, place.snapshot()

    def items() -> Iterator[list[dict[str, Any]]]:
        import orjson  # noqa: PLC0415

        for page in snapshot.find("pages/"):
            yield orjson.loads(archive.read(page))

    return lambda: _run_dlt(scratch, items, max_table_nesting=0)


def load_arrow(place: Place, scratch: Path) -> Work:
    """dlt's fast way: DuckDB reads the pages into Arrow tables, which dlt loads as Parquet."""

    def tables() -> Iterator[Frame]:
        with duckdb.connect() as con:
            yield from con.sql(f"SELECT {ITEM} FROM {pages_sql(place)}").to_arrow_reader(100_000)

    return lambda: _run_dlt(scratch, tables)


def _run_dlt(scratch: Path, rows: Callable[[], Iterator[Frame]], **options: object) -> None:
    import dlt  # noqa: PLC0415 - installed only for the bench

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(scratch / "dlt"),
        destination=dlt.destinations.duckdb(str(scratch / "peer.duckdb")),
        dataset_name="raw",
    )
    pipeline.run(dlt.resource(rows, name="hub_models", **options), write_disposition="replace")


def _frame(place: Place, sql: str) -> Frame:
    """A query as a pandas frame, in the fastest way."""
    with duckdb_file.connect(place.built, read_only=True) as con:
        return con.sql(sql).to_arrow_table().to_pandas()


def models(place: Place, scratch: Path) -> Work:
    """pandas: the newest attributes and the counters."""

    def work() -> None:
        raw = _frame(place, "FROM raw.hub_models")
        raw["license"] = raw.tags_json.str.extract(r'"license:([^"\\]+)"')
        newest = raw.sort_values(["model_id_hf", "snapshot_date"]).groupby("model_id_hf").last()
        columns = ["snapshot_date", "model_id_hf", "downloads_30d", "downloads_all_time", "likes"]
        counters = raw[columns].sort_values(["snapshot_date", "model_id_hf"])
        assert len(newest) <= len(counters)

    return work


def lineage(place: Place, scratch: Path) -> Work:
    """pandas: edges by regular expressions, roots by a merge for each step up."""

    def work() -> None:
        raw = _frame(place, "SELECT model_id_hf, tags_json FROM raw.hub_models")
        found = raw.set_index("model_id_hf").tags_json.str.extractall(r'"base_model:([^"\\]+)"')
        edges = found.droplevel(1).reset_index().set_axis(["child", "parent"], axis=1)
        edges.parent = edges.parent.str.replace(
            "^(finetune|adapter|quantized|merge):", "", regex=True
        )
        edges = edges.apply(lambda texts: texts.str.lower()).drop_duplicates()
        edges = edges[edges.child != edges.parent]
        edges["part"] = 1 / edges.groupby("child").child.transform("size")
        _walk(edges)

    return work


def _walk(edges: Frame) -> Frame:
    import pandas as pd  # noqa: PLC0415

    walk, ends = edges.rename(columns={"child": "model", "parent": "node", "part": "weight"}), []
    for _ in range(MAX_DEPTH):
        is_root = ~walk.node.isin(edges.child)
        ends.append(walk[is_root])
        walk = walk[~is_root].merge(edges, left_on="node", right_on="child")
        walk["weight"] *= walk.part
        walk = walk[["model", "parent", "weight"]].rename(columns={"parent": "node"})
        if walk.empty:
            break
    return pd.concat(ends).groupby(["model", "node"]).weight.sum()


def shares(place: Place, scratch: Path) -> Work:
    """pandas: 30-day downloads, all-time downloads and likes by lab and by country."""

    def work() -> None:
        models = _frame(
            place,
            """SELECT model_id_hf, author, created_at, is_llm_vlm, downloads_30d,
            downloads_all_time, likes, as_of_date
            FROM core.hub_daily_counters JOIN core.hub_models USING (model_id_hf)""",
        )
        roots = _frame(
            place, "SELECT model_id_hf, root_model_id_hf, weight FROM core.hub_model_roots"
        )
        names = _frame(
            place,
            """SELECT DISTINCT ON (key) namespace_key AS key, lab_id, n.kind, country_code
            FROM core.namespaces AS n JOIN core.labs USING (lab_id) WHERE system = 'hub'""",
        )
        publisher = models.assign(key=models.author.str.lower(), weight=1.0)
        base = models.merge(roots, on="model_id_hf")
        base["key"] = base.root_model_id_hf.str.split("/").str[0].str.lower()
        for credited in (publisher.merge(names, how="left"), base.merge(names, how="left")):
            _add_up(credited)

    return work


def _add_up(credited: Frame) -> None:
    """Six populations, three metrics, by lab and by country."""
    import pandas as pd  # noqa: PLC0415

    age = pd.to_datetime(credited.as_of_date) - credited.created_at
    populations = [
        slice(None),
        credited.is_llm_vlm.fillna(False).astype(bool),
        age.dt.days <= 365,
        credited.kind.isin(["lab", "academia", "community"]),
        credited.kind != "ci",
        slice(None),
    ]
    for metric in ("downloads_30d", "downloads_all_time", "likes"):
        credited[metric] = credited[metric] * credited.weight
    for population in populations:
        for by in ("lab_id", "country_code"):
            credited[population].groupby(by, dropna=False)[
                ["downloads_30d", "downloads_all_time", "likes"]
            ].sum()


def validation(place: Place, scratch: Path) -> Work:
    """Great Expectations on pandas batches: the expectations of the contracts.

    References and rules in SQL are not included.
    """
    import great_expectations as gx  # noqa: PLC0415 - the import is not measured

    frames = {table: _frame(place, f"FROM {contract(table).sql_name}") for table in VALIDATED}

    def work() -> None:
        context: Frame = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        source = context.data_sources.add_pandas("bench")
        for table, frame in frames.items():
            asset = source.add_dataframe_asset(table)
            batch = asset.add_batch_definition_whole_dataframe("all")
            suite = context.suites.add(
                gx.ExpectationSuite(table, expectations=_expectations(table))
            )
            definition = context.validation_definitions.add(
                gx.ValidationDefinition(name=table, data=batch, suite=suite)
            )
            context.checkpoints.add(
                gx.Checkpoint(
                    name=table,
                    validation_definitions=[definition],
                    result_format={"result_format": "BOOLEAN_ONLY"},
                )
            ).run(batch_parameters={"dataframe": frame})

    return work


def _expectations(table: str) -> list[Any]:
    from great_expectations import expectations  # noqa: PLC0415

    gxe: Frame = expectations
    expected = contract(table)
    found: list[Any] = [
        gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(expected.columns)),
        gxe.ExpectTableRowCountToBeBetween(min_value=expected.thresholds.min_rows),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=list(expected.key))
        if len(expected.key) > 1
        else gxe.ExpectColumnValuesToBeUnique(column=expected.key[0]),
    ]
    for name, column in expected.columns.items():
        if not column.nullable:
            found.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        if column.values is not None:
            found.append(
                gxe.ExpectColumnValuesToBeInSet(column=name, value_set=list(column.values))
            )
        if column.min is not None or column.max is not None:
            found.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column=name, min_value=column.min, max_value=column.max
                )
            )
    return found


def parquet(place: Place, scratch: Path) -> Work:
    """pandas: sorted frames to Parquet."""

    def work() -> None:
        for table in WRITTEN:
            frame = _frame(place, f"FROM {contract(table).sql_name}")
            sorted_ = frame.sort_values(list(contract(table).key))
            sorted_.to_parquet(scratch / f"{table}.parquet", compression="zstd", index=False)

    return work


PEERS: dict[str, Callable[[Place, Path], Work]] = {
    "load": load,
    "models": models,
    "lineage": lineage,
    "shares": shares,
    "validation": validation,
    "parquet": parquet,
}
