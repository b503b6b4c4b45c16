"""Names, labs and countries: what the registry says, and on which day."""
