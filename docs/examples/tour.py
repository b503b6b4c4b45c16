# %% [markdown]
"""A tour of a release for analysts, cell by cell: `# %%` cells open in Jupyter, VS Code, Spyder.

It needs `duckdb` and `polars` (2 or newer), and a release in `data/published` (`make run`).
"""

# %% What is here
from pathlib import Path

import duckdb
import polars as pl

LATEST = Path("data/published/latest")
con = duckdb.connect(str(LATEST / "observatory.duckdb"), read_only=True)
print(con.sql("SELECT release_id, as_of, audience, is_sample FROM meta.release").pl())
print(
    con.sql(
        "SELECT schema_name || '.' || table_name AS table, estimated_size AS rows, comment"
        " FROM duckdb_tables() WHERE schema_name = 'mart' ORDER BY 1"
    ).pl()
)

# %% The headline, with its definition and its bounds
ONE = {"population": "all", "metric": "downloads_30d", "attribution": "publisher"}
shares = pl.read_parquet(LATEST / "mart.country_share_daily.parquet")
newest = shares.filter(pl.col("as_of_date") == pl.col("as_of_date").max())
headline = newest.filter(credit="fractional", **ONE).sort("share", descending=True)
print(headline.select("country_code", "share", "share_lower", "share_upper", "n_models").head(5))
# Fractional credit sums to 1, including the unknown (ZZ, XX).
assert abs(float(headline["share"].sum()) - 1) < 1e-9

# %% The same question under every definition: what changes the number?
china = newest.filter(country_code="CN", metric="downloads_30d", credit="fractional")
print(
    china.pivot(on="attribution", index="population", values="share").sort(
        "publisher", descending=True
    )
)
spread = pl.read_parquet(LATEST / "mart.attribution_range.parquet").filter(
    pl.col("as_of_date") == pl.col("as_of_date").max(),
    population="any",
    metric="downloads_30d",
    country_code="CN",
)
print(spread.select("share_lowest", "definition_lowest", "share_highest", "definition_highest"))
lowest, highest = spread.row(0, named=True)["share_lowest"], spread["share_highest"][0]
assert all(lowest - 1e-9 <= share <= highest + 1e-9 for share in china["share"].drop_nulls())

# %% Is the lead of one country over the other beyond doubt?
first, second = headline.filter(~pl.col("country_code").is_in(["ZZ", "XX"])).head(2).to_dicts()
sure = first["share_lower"] > second["share_upper"]
print(f"{first['country_code']} before {second['country_code']}: {'sure' if sure else 'open'}")

# %% Which labs are behind it, and how concentrated is it?
labs = pl.read_parquet(LATEST / "mart.lab_share_daily.parquet").filter(
    pl.col("as_of_date") == pl.col("as_of_date").max(), **ONE
)
print(labs.sort("share", descending=True).select("lab_name", "country_code", "share").head(8))
print(f"Herfindahl index of the examined labs: {headline['herfindahl_labs'][0]:.3f} (lower bound)")

# %% Who leads the Arena, with which probability, and how far behind are the others?
leaders = con.sql(
    """
    SELECT country_code, best_model, best_rank_ordinal, rating, rating_lower, rating_upper,
        expected_win_rate_of_leader, probability_first, lag_days, lag_is_censored
    FROM mart.arena_leaders
    WHERE board = 'text' AND category = 'overall'
      AND publish_date = (SELECT max(publish_date) FROM mart.arena_leaders WHERE board = 'text')
    ORDER BY best_rank_ordinal, best_model
    """
).pl()
print(leaders)
assert leaders["expected_win_rate_of_leader"][0] == 0.5  # the leader against itself

# %% Never compare ratings across a break of the scale
print(
    con.sql(
        "SELECT segment_id, count(DISTINCT publish_date) AS boards, min(publish_date) AS from_date,"
        " max(publish_date) AS to_date FROM mart.arena_leaders WHERE board = 'text'"
        " AND category = 'overall' GROUP BY ALL ORDER BY ALL"
    ).pl()
)

# %% What has nobody examined yet? That makes the bounds wide
print(newest.filter(country_code="XX", credit="fractional", **ONE).select("share", "n_models"))

# %% Where does a number come from?
print(con.sql("FROM meta.lineage WHERE table_name = 'mart.country_share_daily'").pl())
snapshots = "SELECT snapshot_id, url, license, sidecar_sha256 FROM meta.snapshots"
print(con.sql(f"{snapshots} ORDER BY snapshot_date DESC, snapshot_id LIMIT 10").pl())

# %% May it be shared?
left_out = pl.read_json(LATEST / "manifest.json").select("audience", "left_out")
print(left_out)
con.close()
