"""Exact sums, windows of days and confirmed changes: arithmetic without a subject."""
