"""The pages: a file each, from what was measured to one that needs nothing else."""
