"""LMArena: the leaderboard dataset, the catalog on GitHub and the frozen Space."""
