"""The DuckDB file: how it is opened, built and swapped, and its SQL macros."""
