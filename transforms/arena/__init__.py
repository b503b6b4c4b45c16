"""What the tables of LMArena share."""
