"""Classes and labels."""
