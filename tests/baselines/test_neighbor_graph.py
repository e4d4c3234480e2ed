import pickle

import numpy as np
import pytest
import torch

from qcl_mixnet.baselines import neighbor_graph
from qcl_mixnet.baselines.neighbor_graph import NeighborGraph, TrainingGraph, nearest_rows


def nearest_by_search(asked, rows, k, *, skip_own=False):
    """All distances, one pair after another; ties go to the earlier row."""
    found = []
    for i, a in enumerate(asked.astype(np.float64)):
        distances = np.array([np.square(a - b).sum() for b in rows.astype(np.float64)])
        if skip_own:
            distances[i] = np.inf
        found.append(np.argsort(distances, kind="stable")[:k])
    return np.array(found)


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


@pytest.mark.parametrize("block_size", [50, neighbor_graph.BLOCK_SIZE])
@pytest.mark.parametrize("table", list(tables()))
def test_nearest_rows__any_table__those_of_a_full_search(table, block_size, monkeypatch):
    monkeypatch.setattr(neighbor_graph, "BLOCK_SIZE", block_size)
    rows = table.astype(np.float32)
    others = nearest_rows(rows, rows, 5, skip_own=True)
    assert np.array_equal(others, nearest_by_search(rows, rows, 5, skip_own=True))
    for asked in (rows[::3], rows[::3] + np.float32(0.5)):
        assert np.array_equal(nearest_rows(asked, rows, 5), nearest_by_search(asked, rows, 5))


@pytest.mark.parametrize("skip_own", [False, True])
def test_nearest_rows__all_rows_equal__compares_with_the_first_few_alone(skip_own, monkeypatch):
    pairs = []
    measure = neighbor_graph._squared_distances
    monkeypatch.setattr(
        neighbor_graph,
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


def test_training_graph__duplicates__are_neighbours_but_no_row_is_its_own():
    graph = TrainingGraph(torch.tensor([[0.0], [0.0], [0.0], [5.0]]), 2)
    assert graph.neighbors.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


@pytest.mark.parametrize(("n_rows", "k"), [(2, 1), (5, 4), (6, 5), (7, 5)])
def test_training_graph__fewer_rows_than_neighbours__takes_all_others(n_rows, k):
    graph = TrainingGraph(torch.randn(n_rows, 2, generator=torch.Generator().manual_seed(0)), 5)
    assert graph.neighbors.shape == (n_rows, k)
    assert graph.join(torch.zeros(3, 2)).neighbors.shape == (n_rows + 3, k)


def random_rows(n_rows, seed=0):
    return torch.randn(n_rows, 4, generator=torch.Generator().manual_seed(seed))


def test_join__edges__come_from_training_rows_only_and_theirs_stay():
    graph, asked = TrainingGraph(random_rows(30), 5), random_rows(8, seed=1)
    joined = graph.join(asked)
    assert torch.equal(joined.x, torch.cat([graph.x, asked]))
    assert torch.equal(joined.neighbors[:30], graph.neighbors)
    assert joined.neighbors.max() < 30
    expected = nearest_by_search(asked.numpy(), graph.x.numpy(), 5)
    assert joined.neighbors[30:].tolist() == expected.tolist()


def test_join__row_equal_to_a_training_row__receives_from_it():
    graph = TrainingGraph(random_rows(30), 5)
    assert graph.join(graph.x[3:4]).neighbors[30, 0] == 3


def test_join__same_tensor_again__is_looked_up_once_and_let_go_with_it(monkeypatch):
    graph, asked, other = TrainingGraph(random_rows(30), 5), random_rows(8, 1), random_rows(8, 2)
    calls = []
    monkeypatch.setattr(
        neighbor_graph, "nearest_rows", lambda *args: calls.append(1) or nearest_rows(*args)
    )
    first, again = graph.join(asked), graph.join(asked)
    assert torch.equal(first.neighbors, again.neighbors)
    assert len(calls) == 1
    graph.join(other)
    graph.join(asked)
    assert len(calls) == 3
    del asked
    assert graph._found is None


def test_training_graph__pickled_after_a_join__joins_alike():
    graph, asked = TrainingGraph(random_rows(30), 5), random_rows(8, seed=1)
    expected = graph.join(asked)
    copy = pickle.loads(pickle.dumps(graph))
    assert torch.equal(copy.join(asked).neighbors, expected.neighbors)


@pytest.mark.parametrize("n_hops", [1, 2, 3])
def test_neighborhood__walks_all_paths_into_the_seeds(n_hops):
    neighbors = torch.randint(60, (60, 3), generator=torch.Generator().manual_seed(0))
    seeds = [17, 4, 31]
    part = NeighborGraph(random_rows(60), neighbors).neighborhood(torch.tensor(seeds), n_hops)

    reached, edges = set(seeds), set()
    for _ in range(n_hops):
        edges |= {(sender, row) for row in reached for sender in neighbors[row].tolist()}
        reached |= {sender for sender, _ in edges}
    assert part.nodes.tolist() == sorted(reached)
    assert part.nodes[part.seeds].tolist() == seeds
    senders, receivers = part.nodes[part.edges.ends].tolist()
    assert set(zip(senders, receivers, strict=True)) == edges
    assert part.edges.in_degree == 3
