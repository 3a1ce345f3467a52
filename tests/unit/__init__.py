"""Unit tests: pure modules, no database."""
