"""Codes to search in, and to find twins in: an index of pictures."""
