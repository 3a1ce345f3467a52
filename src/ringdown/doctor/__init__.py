"""Examines a trunk by what it does, and says in a sentence what is wrong and which setting mends it."""
