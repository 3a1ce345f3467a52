"""Many calls by one agent: the batch, its contacts and its life cycle."""
