"""`observatory trace`: from a published number to the bytes that it was computed from."""
