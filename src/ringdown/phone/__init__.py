"""PROGRAM: the scripted test phone."""
