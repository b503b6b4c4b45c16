"""Published statements and the closed vocabulary of tests they can be put to."""
