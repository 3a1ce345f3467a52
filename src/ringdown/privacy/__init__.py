"""One person's data, by phone number: all of it in a file, or none of it any more."""
