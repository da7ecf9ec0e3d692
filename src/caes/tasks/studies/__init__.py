"""The tables and figures of papers, made again, beside the papers' own."""
