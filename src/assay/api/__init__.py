"""The HTTP edge: it translates, and decides nothing."""
