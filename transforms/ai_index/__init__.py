"""What the tables of the AI Index and Epoch's notable models share."""
