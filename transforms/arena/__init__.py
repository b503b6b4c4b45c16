"""What the tables about LMArena have in common."""
