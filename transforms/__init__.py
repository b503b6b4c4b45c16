"""What the numbers mean: pure Polars, no I/O, no clock, no network."""
