"""Ringdown: self-hosted AI phone calls."""
