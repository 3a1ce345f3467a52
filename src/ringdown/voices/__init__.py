"""The speaking voices that agents may use."""
