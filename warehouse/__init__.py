"""Where things are kept: archive, warehouse, contracts, source cards, registry, releases."""
