"""PROGRAM: the command line; starts and joins the others."""
