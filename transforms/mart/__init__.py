"""One module a mart table: wide, flat, safe for BI tools."""
