"""PROGRAM: HTTP; only wires routers."""
