"""What one would write by hand instead of Assay: the same work, the same durability, written plainly."""
