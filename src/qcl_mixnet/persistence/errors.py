"""What can be wrong with the files of a saved model."""


class ModelFileError(ValueError):
    """A model cannot be saved or read; the message says what is wrong with which file."""
