"""Benchmarks: measured figures against their targets, run by hand or by a test with `--quick`."""
