"""Whether to believe the numbers: contract and rules -> Great Expectations, inside DuckDB."""
