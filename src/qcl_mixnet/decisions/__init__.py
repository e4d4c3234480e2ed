"""From probabilities to labels: what a user asks of a decision, and the rule that does it."""
