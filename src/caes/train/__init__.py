"""Training: options, recipes, batches, the one epoch loop."""
