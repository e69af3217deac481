"""What the service does: one module per thing, the same for every edge."""
