"""What the tables about the AI Index and Epoch's notable models have in common."""
