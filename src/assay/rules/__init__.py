"""Pure functions that judge tokens, read claims, decide who somebody is. Nothing here waits or remembers."""
