"""A running Assay to play with: ``make demo``, or ``python -m assay.demo``."""
