"""One module per mart table: wide, flat, safe for BI tools."""
