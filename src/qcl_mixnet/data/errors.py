"""What goes wrong with data, said in one sentence: the value, the limit and the remedy."""


class DataError(ValueError):
    """A table, a source or a roster entry is not what it must be.

    The message is one sentence that names the value at fault, what was expected and what
    the user can do about it.
    """


class SourceUnavailableError(DataError):
    """A source could not be reached or is not in place; another source may still serve.

    Ingestion goes on to the next source after this error, and only after this one: any other
    `DataError` means that the data are there but wrong, which must not be hidden.
    """
