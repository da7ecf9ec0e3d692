"""Who computes a batch: the compiled loop, Winograd's way, threads."""
