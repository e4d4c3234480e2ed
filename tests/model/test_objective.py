import numpy as np
import pytest
import torch

from qcl_mixnet.engine.flat import flatten_parameters
from qcl_mixnet.engine.loop import batch_bounds
from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model import objective as module
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.mixup import draw_mixup, mix, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions

ENGINES = pytest.mark.parametrize("engine", ["compiled", "autograd"])


def make_problem(n_rows=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = QCLMixNet.build(3, 2, generator=generator).double()
    loss = HybridLoss(2, 8).double()
    loss.reset_parameters(generator)
    x = torch.randn(n_rows, 3, generator=generator, dtype=torch.float64)
    return net, loss, x, (x[:, 0] > 0).long()


def make_objective(*problems, order=None, **options):
    """Problems as members of a group, at the start of an epoch; member i draws from seed i."""
    nets, losses, x, y = zip(*problems, strict=True)
    made = HybridObjective(
        stack(nets),
        stack(losses),
        torch.stack(x),
        torch.stack(y),
        MixupOptions(**options),
        [np.random.default_rng(seed) for seed in range(len(problems))],
    )
    made.buffer = flatten_parameters(list(made.parameters()))
    order = torch.arange(len(x[0])).repeat(len(problems), 1) if order is None else order
    made.start_epoch(order)
    return made


def terms_of(made, batch, engine):
    """Terms of a mini-batch, ``(n_terms, members)``, from the kernels or from PyTorch."""
    if engine == "compiled":
        return made.backward(batch, made.buffer.grad)
    return made(batch).detach()


def loss_of(problem, engine, **options):
    return terms_of(make_objective(problem, **options), slice(0, len(problem[2])), engine)[0]


def test_parameters__are_the_network_s_and_the_centroids():
    made = make_objective(make_problem())
    assert set(made.parameters()) == {*made.net.parameters(), made.loss.centroids}


@ENGINES
def test_terms__without_mixup__are_the_loss_of_the_rows_asked_for(engine):
    net, loss, x, y = problem = make_problem()
    order = torch.from_numpy(np.random.default_rng(5).permutation(40))
    made = make_objective(problem, order=order.unsqueeze(0), mixup=False)
    terms = terms_of(made, slice(7, 19), engine)
    rows = order[7:19]
    expected = loss(*net.logits_and_embedding(x[rows]), y[rows])
    assert made.term_names == ("loss", "focal", "intra", "inter", "supcon", "triplet")
    torch.testing.assert_close(terms[:, 0], torch.stack(expected).detach())


@ENGINES
def test_terms__with_mixup__use_the_draws_of_their_places(engine):
    net, loss, x, y = problem = make_problem()
    order = torch.from_numpy(np.random.default_rng(5).permutation(40))
    made = make_objective(problem, order=order.unsqueeze(0))
    draws = draw_mixup(40, alpha=0.4, rng=np.random.default_rng(0), dtype=x.dtype)[10:17]
    rows = order[10:17]
    mixed = mix(x[rows], nearest_neighbors(x[rows], 5), draws)
    expected = loss(*net.logits_and_embedding(mixed), y[rows]).total.detach()
    torch.testing.assert_close(terms_of(made, slice(10, 17), engine)[0, 0], expected)


@pytest.fixture
def mixed_rows(monkeypatch):
    """Shapes of the groups of batches that were mixed."""
    shapes, knn_mixup = [], module.knn_mixup

    def noted(x, points, draws, n_neighbors):
        shapes.append(tuple(x.shape))
        return knn_mixup(x, points, draws, n_neighbors)

    monkeypatch.setattr(module, "knn_mixup", noted)
    return shapes


@ENGINES
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n_rows", [90, 87, 81], ids=["short last", "odd last", "lone last row"])
def test_terms__mixed_some_batches_ahead__are_those_of_each_batch_by_itself(
    monkeypatch, mixed_rows, n_rows, n_members, engine
):
    # Room for two batches, not for three.
    monkeypatch.setattr(module, "BLOCK_VALUES", 2 * n_members * 16 * 3 + 1)
    problems = [make_problem(n_rows, seed) for seed in range(n_members)]
    rng = np.random.default_rng(8)
    orders = [torch.from_numpy(np.stack([rng.permutation(n_rows) for _ in problems])) for _ in "ab"]
    made = make_objective(*problems, order=orders[0])
    rngs = [np.random.default_rng(seed) for seed in range(n_members)]
    for epoch, order in enumerate(orders):
        if epoch > 0:
            made.start_epoch(order)
        draws = [draw_mixup(n_rows, alpha=0.4, rng=one, dtype=torch.float64) for one in rngs]
        for start, stop in batch_bounds(n_rows, 16):
            batch = slice(start, stop)
            terms = terms_of(made, batch, engine)
            for member, (net, loss, x, y) in enumerate(problems):
                rows = order[member, batch]
                mixed = mix(x[rows], nearest_neighbors(x[rows], 5), draws[member][batch])
                expected = loss(*net.logits_and_embedding(mixed), y[rows])
                torch.testing.assert_close(terms[:, member], torch.stack(expected).detach())
    blocks = [2, 2, 1]
    expected = [(n * n_members, 16, 3) for n in blocks]
    if n_rows > 81:
        expected.append((n_members, n_rows - 80, 3))
    assert mixed_rows == 2 * expected


@ENGINES
def test_terms__whole_epoch_mixed_at_once__the_next_is_mixed_anew(mixed_rows, engine):
    net, loss, x, y = problem = make_problem(32)
    made, rng = make_objective(problem), np.random.default_rng(0)
    for _ in "ab":
        draws = draw_mixup(32, alpha=0.4, rng=rng, dtype=x.dtype)
        for batch in (slice(0, 16), slice(16, 32)):
            terms = terms_of(made, batch, engine)
            mixed = mix(x[batch], nearest_neighbors(x[batch], 5), draws[batch])
            expected = torch.stack(loss(*net.logits_and_embedding(mixed), y[batch])).detach()
            torch.testing.assert_close(terms[:, 0], expected)
        made.start_epoch(torch.arange(32).unsqueeze(0))
    assert mixed_rows == 2 * [(2, 16, 3)]


def test_terms__little_room__a_batch_at_a_time(monkeypatch, mixed_rows):
    monkeypatch.setattr(module, "BLOCK_VALUES", 1)
    made = make_objective(make_problem())
    for start in (0, 16):
        made(slice(start, start + 16))
    assert mixed_rows == [(1, 16, 3), (1, 16, 3)]


@ENGINES
@pytest.mark.parametrize("space", ["input", "representation", "embedding"])
def test_neighbor_space__changes_the_result(space, engine):
    without = loss_of(make_problem(), engine, mixup=False)
    default = loss_of(make_problem(), engine)
    chosen = loss_of(make_problem(), engine, neighbor_space=space)
    assert not torch.equal(without, chosen)
    assert torch.equal(default, chosen) == (space == "input")


@ENGINES
@pytest.mark.parametrize("space", ["representation", "embedding"])
def test_terms__neighbours_in_the_network_s_space__are_those_of_its_evaluation(space, engine):
    net, loss, x, y = problem = make_problem()
    made = make_objective(problem, neighbor_space=space)
    net.eval()
    points = net.represent(x)
    points = (net.projection(points) if space == "embedding" else points).detach()
    net.train()
    draws = draw_mixup(40, alpha=0.4, rng=np.random.default_rng(0), dtype=x.dtype)[16:32]
    mixed = mix(x[16:32], nearest_neighbors(points[16:32], 5), draws)
    expected = torch.stack(loss(*net.logits_and_embedding(mixed), y[16:32])).detach()
    torch.testing.assert_close(terms_of(made, slice(16, 32), engine)[:, 0], expected)


@ENGINES
def test_look_up_in_embedding_space__leaves_running_averages_to_the_step(engine):
    made = make_objective(make_problem(), neighbor_space="embedding")
    terms_of(made, slice(0, 40), engine)
    assert made.net.projection[1].num_batches_tracked.tolist() == [1]  # the training pass alone
    assert made.net.training


@ENGINES
@pytest.mark.parametrize("classes", ["any", "same", "cross"])
def test_terms__partners_among_all_training_rows__are_those_drawn(classes, engine):
    net, loss, x, y = problem = make_problem()
    order = torch.from_numpy(np.random.default_rng(5).permutation(40))
    made = make_objective(
        problem, order=order.unsqueeze(0), neighbor_pool="train", neighbor_classes=classes
    )
    rows, places = order[10:17], range(10, 17)
    draws = draw_mixup(40, alpha=0.4, rng=np.random.default_rng(0), dtype=x.dtype)
    mixed = x[rows].clone()
    for i, (row, place) in enumerate(zip(rows.tolist(), places, strict=True)):
        allowed = [
            other
            for other in range(40)
            if other != row and (classes == "any" or (y[other] == y[row]) == (classes == "same"))
        ]
        nearest = sorted(allowed, key=lambda other: (x[other] - x[row]).norm())[:5]
        own = draws.weight[place]
        mixed[i] = own * x[row] + (1 - own) * x[nearest[int(draws.choice[place] * 5)]]
    expected = torch.stack(loss(*net.logits_and_embedding(mixed), y[rows])).detach()
    torch.testing.assert_close(terms_of(made, slice(10, 17), engine)[:, 0], expected)


@ENGINES
@pytest.mark.parametrize("classes", ["any", "same", "cross"])
def test_terms__rows_out_of_the_bag__never_enter_the_training(classes, engine):
    bag = torch.from_numpy(np.random.default_rng(5).permutation(40)[:25]).unsqueeze(0)
    outside = torch.ones(40, dtype=torch.bool).index_fill(0, bag[0], False)
    results = []
    for value in (0.0, 1e6):
        net, loss, x, y = make_problem()
        problem = net, loss, x.masked_fill(outside.unsqueeze(1), value), y
        made = make_objective(problem, order=bag, neighbor_pool="train", neighbor_classes=classes)
        for epoch in range(2):
            made.start_epoch(bag.flip(1) if epoch else bag)
            results.append(terms_of(made, slice(0, 25), engine))
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], results[3])


def test_draws__without_mixup__are_made_all_the_same():
    used = [make_objective(make_problem(), mixup=mixup) for mixup in (True, False)]
    assert used[0].rngs[0].random() == used[1].rngs[0].random()
    assert used[0].rngs[0].random() != np.random.default_rng(0).random()


@pytest.mark.parametrize("space", ["input", "embedding"])
def test_backward__gradients_and_terms__are_those_of_autograd(space):
    made, other = (
        make_objective(*(make_problem(seed=seed) for seed in range(3)), neighbor_space=space)
        for _ in "ab"
    )
    for start in (0, 16):  # gradients of the second step replace those of the first
        batch = slice(start, start + 16)
        terms = made.backward(batch, made.buffer.grad)
        expected = AutogradObjective.backward(other, batch, other.buffer.grad)
        assert not terms.requires_grad
        assert not expected.requires_grad
        torch.testing.assert_close(terms, expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(made.buffer.grad, other.buffer.grad, rtol=1e-9, atol=1e-12)
        assert made.buffer.grad.any()


def test_backward__of_another_training__writes_into_its_buffer():
    made = make_objective(make_problem())
    first = terms_of(made, slice(0, 20), "compiled"), made.buffer.grad.clone()
    made.buffer.grad.zero_()
    again = flatten_parameters(list(made.parameters()))
    terms = made.backward(slice(0, 20), again.grad)
    torch.testing.assert_close(terms, first[0])
    torch.testing.assert_close(again.grad, first[1])
    assert not made.buffer.grad.any()
