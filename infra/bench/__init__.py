"""The scale bench: a generated Hub of any size, and what each step costs on it."""
