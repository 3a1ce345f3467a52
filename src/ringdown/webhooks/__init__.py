"""What customers are told: events, the endpoints that receive them, and deliveries."""
