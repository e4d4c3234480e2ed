"""A page about one fitted classifier, in HTML that needs nothing beside it."""
