"""A file of a user's own: how it is written, what its columns are, and a report on its data."""
