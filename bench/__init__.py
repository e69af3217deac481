"""What measures speed: ``make bench``, never part of the tests. docs/explanation/performance.md says how to read it."""
