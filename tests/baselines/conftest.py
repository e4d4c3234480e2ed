"""Small tables with the traits that break classifiers."""

import numpy as np
import numpy.typing as npt
import pytest

Table = tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]


@pytest.fixture
def rare_classes() -> Table:
    """Five separated clusters with string labels: 30, 20, 4, 2 and 1 rows of 2 features."""
    rng = np.random.default_rng(0)
    sizes = {"common": 30, "less": 20, "four": 4, "pair": 2, "single": 1}
    X = [rng.normal(10 * i, 1.0, size=(n, 2)) for i, n in enumerate(sizes.values())]
    y = [np.repeat(name, n) for name, n in sizes.items()]
    return np.concatenate(X), np.concatenate(y)


@pytest.fixture
def overlapping() -> Table:
    """Three overlapping classes of 60, 40 and 20 rows."""
    rng = np.random.default_rng(1)
    sizes = {"a": 60, "b": 40, "c": 20}
    X = [rng.normal(1.5 * i, 1.0, size=(n, 3)) for i, n in enumerate(sizes.values())]
    return np.concatenate(X), np.concatenate([np.repeat(c, n) for c, n in sizes.items()])
