"""When things happen: Prefect flows and the command line; no business logic."""
