"""Rows that belong together: groups, splits that never part them, and rows that are identical."""
