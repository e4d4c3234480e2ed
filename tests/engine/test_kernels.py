import numba
import numpy as np
import pytest

from qcl_mixnet.engine.kernels import compiled, take_rows


def make_function():
    """A function that no file holds: numba has no place to cache it, whoever may write where."""
    namespace = {}
    exec("def ratio(x, y):\n    return x / y\n", namespace)
    return namespace["ratio"]


def test_compiled__no_cache_can_be_written__compiles_all_the_same():
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(make_function(), cache=True)
    ratio = compiled(make_function())
    assert ratio(1.0, 4.0) == 0.25
    assert ratio.signatures


def test_compiled__options__are_the_same_with_and_without_a_cache(monkeypatch):
    calls, njit = [], numba.njit

    def unwritable(*args, **options):
        calls.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", unwritable)
    ratio = compiled(make_function())
    cached, plain = calls
    assert cached == {"cache": True, **plain}
    assert plain["nogil"]
    assert "nnan" not in plain["fastmath"]
    assert "ninf" not in plain["fastmath"]
    assert ratio(np.float64(1), np.float64(0)) == np.inf  # as numpy divides


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [[[0, 6, 3], [2, 2, 2]], [[1], [0]]], ids=["many", "one"])
def test_take_rows__is_indexing(dtype, rows):
    tables = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(dtype)
    rows = np.array(rows)
    out = np.empty((2, rows.shape[1], 5), dtype)
    take_rows(tables, rows, out)
    np.testing.assert_array_equal(out, np.stack([tables[0, rows[0]], tables[1, rows[1]]]))
