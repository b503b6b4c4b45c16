"""`observatory why`: from a published number down to the bytes that it was made from."""
