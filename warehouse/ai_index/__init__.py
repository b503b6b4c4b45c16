"""The AI Index: its figure map and the guarded corrections of its files."""
