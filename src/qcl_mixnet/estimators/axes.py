"""Where the plots of the library are drawn."""

from __future__ import annotations

from typing import Any


def new_axes() -> Any:
    """Make the axes of a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        Without the package matplotlib.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "The plot needs the package matplotlib; install it with "
            'pip install "qcl-mixnet[plots]".'
        ) from error
    return plt.subplots()[1]
