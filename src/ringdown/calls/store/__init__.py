"""Calls in the database, one module per table or question."""
