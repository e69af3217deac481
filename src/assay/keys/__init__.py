"""Keys: those of issuers, fetched and kept; and our own, sealed and published."""
