import numpy as np
import pytest
import torch

from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions


def make_problem(n_rows=40):
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(3, 2, generator=generator)
    loss = HybridLoss(2, 8)
    loss.reset_parameters(generator)
    x = torch.randn(n_rows, 3, generator=generator)
    return net, loss, x, (x[:, 0] > 0).long()


def objective(problem, seed=0, **options):
    return HybridObjective(*problem, MixupOptions(**options), np.random.default_rng(seed))


def loss_of(problem, **options):
    return objective(problem, **options)(torch.arange(len(problem[2])))["loss"]


def test_parameters__are_the_network_s_and_the_centroids():
    net, loss, *_ = problem = make_problem()
    parameters = set(objective(problem).parameters())
    assert parameters == {*net.parameters(), loss.centroids}


def test_terms__without_mixup__are_the_loss_of_the_rows_asked_for():
    net, loss, x, y = problem = make_problem()
    rows = torch.tensor([3, 1, 30, 7, 12])
    terms = objective(problem, mixup=False)(rows)
    expected = loss(*net.logits_and_embedding(x[rows]), y[rows])
    assert list(terms) == ["loss", "focal", "intra", "inter", "supcon", "triplet"]
    torch.testing.assert_close(torch.stack(list(terms.values())), torch.stack(expected))


@pytest.mark.parametrize("space", ["input", "representation", "embedding"])
def test_neighbor_space__changes_the_result(space):
    without = loss_of(make_problem(), mixup=False)
    default = loss_of(make_problem())
    chosen = loss_of(make_problem(), neighbor_space=space)
    assert not torch.equal(without, chosen)
    assert torch.equal(default, chosen) == (space == "input")


def test_look_up_in_embedding_space__leaves_running_averages_to_the_step():
    net, *_ = problem = make_problem()
    loss_of(problem, neighbor_space="embedding")
    assert net.projection[1].num_batches_tracked.item() == 1  # the training pass alone
    assert net.training


def test_draws__without_mixup__are_made_all_the_same():
    used = [objective(make_problem(), mixup=mixup) for mixup in (True, False)]
    for one in used:
        one(torch.arange(9))
    assert used[0].rng.random() == used[1].rng.random()
