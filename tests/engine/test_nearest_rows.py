import numpy as np
import pytest
from tests.engine.nearest_search import nearest_by_search

from qcl_mixnet.engine import nearest_rows as module
from qcl_mixnet.engine.nearest_rows import nearest_rows


def tables():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(80, 3))
    yield pytest.param(normal, id="no ties")
    yield pytest.param(rng.integers(3, size=(80, 3)), id="ties and duplicates")
    yield pytest.param(np.eye(6)[rng.integers(6, size=60)], id="one-hot: few different rows")
    yield pytest.param(np.zeros((20, 2)), id="all rows equal")
    # Fewer, as many and more than the neighbours asked for; on both sides of others at 1.
    copies = np.repeat([0.0, 1, 2, 3, 4, 5, 6], [1, 4, 5, 6, 7, 30, 40])
    yield pytest.param(rng.permutation(copies)[:, None], id="from 1 to 40 copies")
    yield pytest.param(normal[rng.integers(12, size=120)], id="few different rows, many of each")
    # The squares of the first column swallow the differences in the second.
    fine = rng.integers(64, size=80) * 2.0**-20
    yield pytest.param(np.column_stack([np.full(80, 1000.123), fine]), id="far from 0 and close")
    yield pytest.param(np.vstack([normal, [[1e15] * 3]]), id="one row far away")
    yield pytest.param(rng.normal(size=(40, 1)), id="one feature")
    yield pytest.param(rng.normal(size=(40, 700)), id="700 features")


@pytest.mark.parametrize("block_size", [50, module.BLOCK_SIZE])
@pytest.mark.parametrize("table", list(tables()))
def test_nearest_rows__any_table__those_of_a_full_search(table, block_size, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SIZE", block_size)
    rows = table.astype(np.float32)
    others = nearest_rows(rows, rows, 5, skip_own=True)
    assert np.array_equal(others, nearest_by_search(rows, rows, 5, skip_own=True))
    for asked in (rows[::3], rows[::3] + np.float32(0.5)):
        assert np.array_equal(nearest_rows(asked, rows, 5), nearest_by_search(asked, rows, 5))


@pytest.mark.parametrize("skip_own", [False, True])
def test_nearest_rows__all_rows_equal__compares_with_the_first_few_alone(skip_own, monkeypatch):
    pairs = []
    measure = module._squared_distances
    monkeypatch.setattr(
        module,
        "_squared_distances",
        lambda *args: pairs.append(len(args[-1])) or measure(*args),
    )
    rows = np.ones((300, 2), dtype=np.float32)
    found = nearest_rows(rows, rows, 5, skip_own=skip_own)
    assert found[200].tolist() == [0, 1, 2, 3, 4]
    assert sum(pairs) <= 300 * 6


def test_nearest_rows__ties__do_not_depend_on_the_other_rows_asked():
    # Whole numbers, as in the letter data.
    rng = np.random.default_rng(0)
    rows = (rng.integers(3, size=(400, 16)) / np.float32(0.7)).astype(np.float32)
    asked, together = rows[:50], nearest_rows(rows[:50], rows[50:], 5)
    for i in range(50):
        assert np.array_equal(nearest_rows(asked[i : i + 1], rows[50:], 5)[0], together[i])
