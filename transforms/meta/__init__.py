"""One module a meta table that is computed from others: what was found on the way, counted."""
