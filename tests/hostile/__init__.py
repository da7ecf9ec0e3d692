"""Hostile input: real files of every kind, what is done to them, and who tries them."""
