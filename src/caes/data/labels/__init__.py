"""Classes and labels: numbered, read from tables, drawn."""
