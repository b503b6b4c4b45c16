"""One module per computed meta table: statistics about the data."""
