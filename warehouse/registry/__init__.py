"""The registry: its CSV files, how they are loaded, and the rules they must keep."""
