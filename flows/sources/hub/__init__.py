"""The Hugging Face Hub: listings of models and datasets, and the trending strip."""
