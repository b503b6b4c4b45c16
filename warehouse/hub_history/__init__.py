"""The history of the Hub's counters: what changed with every snapshot, over years."""
