"""HTTP plumbing without product: envelope, errors, pagination, authentication edge."""
