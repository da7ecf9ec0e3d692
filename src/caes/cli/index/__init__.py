"""caes index: pictures to search in by their codes. One thin class a sub-command."""
