"""What the tables of the Hugging Face Hub share."""
