"""Exact sums, windows of days and confirmed changes."""
