"""What answers or dials."""
