"""What is not like the others: detectors that learn from normal pictures alone."""
