"""Data: the roster, where tables come from, and what a table must be."""
