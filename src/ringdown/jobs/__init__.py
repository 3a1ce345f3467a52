"""Due rows: claimed with a lease, retried, backed off."""
