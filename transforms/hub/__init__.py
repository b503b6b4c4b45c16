"""What the tables about the Hugging Face Hub have in common."""
