"""Phone numbers and where calls go."""
