"""caes anomalies: what is not like the normal pictures, where, and how sure that is."""
