"""The one exception type of this room."""


class TuningError(ValueError):
    """A study that cannot be begun, read or gone on with.

    The message names the thing, the value and the remedy.
    """
