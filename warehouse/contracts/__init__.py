"""Table contracts, source cards and usage warnings: YAML files and their readers."""
