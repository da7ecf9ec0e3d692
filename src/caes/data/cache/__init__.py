"""Pictures that are decoded once."""
