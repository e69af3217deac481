"""Assay turns any trusted JWT into a session."""

__version__ = "0.1.0"
