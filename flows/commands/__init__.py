"""Commands of `observatory`, one module a topic; `flows.cli` registers them."""
