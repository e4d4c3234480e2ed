"""The one exception type of this layer."""


class EvaluationError(ValueError):
    """A split, score or test that cannot be computed from what was given.

    The message names the thing, the value and the remedy.
    """
