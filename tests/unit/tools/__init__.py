"""Tests of tools without a database."""
