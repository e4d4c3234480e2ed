import pickle

import pytest
import torch
from tests.engine.nearest_search import nearest_by_search

from qcl_mixnet.baselines import neighbor_graph
from qcl_mixnet.baselines.neighbor_graph import NeighborGraph, TrainingGraph
from qcl_mixnet.engine.nearest_rows import nearest_rows


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
