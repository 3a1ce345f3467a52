"""Speech models as files: which open ones are known, downloading them, and where they are kept."""
