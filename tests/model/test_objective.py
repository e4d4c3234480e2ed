import numpy as np
import pytest
import torch

from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.mixup import draw_mixup, mix, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.stacking import stack


def make_problem(n_rows=40):
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(3, 2, generator=generator)
    loss = HybridLoss(2, 8)
    loss.reset_parameters(generator)
    x = torch.randn(n_rows, 3, generator=generator)
    return net, loss, x, (x[:, 0] > 0).long()


def objective(problem, seed=0, **options):
    net, loss, x, y = problem
    made = HybridObjective(
        stack([net]),
        stack([loss]),
        x.unsqueeze(0),
        y.unsqueeze(0),
        MixupOptions(**options),
        [np.random.default_rng(seed)],
    )
    made.start_epoch()
    return made


def loss_of(problem, **options):
    n = len(problem[2])
    return objective(problem, **options)(torch.arange(n).unsqueeze(0), slice(0, n))["loss"]


def test_parameters__are_the_network_s_and_the_centroids():
    made = objective(make_problem())
    assert set(made.parameters()) == {*made.net.parameters(), made.loss.centroids}


def test_terms__without_mixup__are_the_loss_of_the_rows_asked_for():
    net, loss, x, y = problem = make_problem()
    rows = torch.tensor([3, 1, 30, 7, 12])
    terms = objective(problem, mixup=False)(rows.unsqueeze(0), slice(0, 5))
    expected = loss(*net.logits_and_embedding(x[rows]), y[rows])
    assert list(terms) == ["loss", "focal", "intra", "inter", "supcon", "triplet"]
    torch.testing.assert_close(torch.stack(list(terms.values()))[:, 0], torch.stack(expected))


def test_terms__with_mixup__use_the_draws_of_their_places():
    net, loss, x, y = problem = make_problem()
    rows = torch.tensor([3, 1, 30, 7, 12, 9, 22])
    made = objective(problem)
    draws = draw_mixup(40, alpha=0.4, rng=np.random.default_rng(0))[10:17]
    batch = mix(x[rows], nearest_neighbors(x[rows], 5), draws)
    expected = loss(*net.logits_and_embedding(batch), y[rows]).total
    torch.testing.assert_close(made(rows.unsqueeze(0), slice(10, 17))["loss"][0], expected)


@pytest.mark.parametrize("space", ["input", "representation", "embedding"])
def test_neighbor_space__changes_the_result(space):
    without = loss_of(make_problem(), mixup=False)
    default = loss_of(make_problem())
    chosen = loss_of(make_problem(), neighbor_space=space)
    assert not torch.equal(without, chosen)
    assert torch.equal(default, chosen) == (space == "input")


def test_look_up_in_embedding_space__leaves_running_averages_to_the_step():
    made = objective(make_problem(), neighbor_space="embedding")
    made(torch.arange(40).unsqueeze(0), slice(0, 40))
    assert made.net.projection[1].num_batches_tracked.tolist() == [1]  # the training pass alone
    assert made.net.training


def test_draws__without_mixup__are_made_all_the_same():
    used = [objective(make_problem(), mixup=mixup) for mixup in (True, False)]
    assert used[0].rngs[0].random() == used[1].rngs[0].random()
    assert used[0].rngs[0].random() != np.random.default_rng(0).random()
