"""A user's table into numbers."""
