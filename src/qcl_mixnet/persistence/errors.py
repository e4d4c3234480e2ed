"""What goes wrong with a saved model."""


class ModelFileError(ValueError):
    """A saved model cannot be read; the message says what is wrong with which file."""
