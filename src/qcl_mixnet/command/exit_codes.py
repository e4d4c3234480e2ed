"""How commands end that do not end well."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
