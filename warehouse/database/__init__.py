"""The DuckDB warehouse file and its SQL macros."""
