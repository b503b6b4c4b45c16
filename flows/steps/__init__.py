"""The steps of a run as plain functions, called by `flows.pipeline` and `flows.cli`."""
