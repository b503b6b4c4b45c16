"""What a run and its commands report, read from the warehouse file."""
