"""A report on one page: everything of a run in one file that needs no network."""
