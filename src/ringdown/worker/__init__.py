"""PROGRAM: due work."""
