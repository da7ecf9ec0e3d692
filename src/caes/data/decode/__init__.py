"""Open and decode pictures, and gather them."""
