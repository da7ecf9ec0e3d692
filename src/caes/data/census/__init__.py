"""What is in some pictures, before anything is trained on them."""
