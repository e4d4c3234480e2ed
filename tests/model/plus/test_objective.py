import numpy as np
import pytest
import torch

from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.plus.columns import learn_columns
from qcl_mixnet.model.plus.metric_losses import metric_losses
from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions, PlusObjective, cross_entropy

LAYOUT = InputLayout(3)


def make_network(seed=0, **options):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    shape = PlusOptions(**{"embedding": "periodic", "width": 8, "dropout": 0.0} | options)
    columns = learn_columns(x, np.arange(40) % 3, shape, np.random.default_rng(0))
    generator = torch.Generator().manual_seed(seed)
    return PlusNetwork.build(LAYOUT, 3, shape, columns, generator)


def make_objective(members=1, loss=None, **options):
    networks = [make_network(seed, **options) for seed in range(members)]
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(24) % 3
    shared = x.expand(members, 24, 3), labels.expand(members, 24)
    streams = [Streams.from_seed(seed) for seed in range(members)]
    return PlusObjective(stack(networks), *shared, loss or PlusLossOptions(), streams)


def start(objective):
    orders = [np.random.default_rng(m).permutation(24) for m in range(len(objective.x))]
    objective.start_epoch(torch.from_numpy(np.stack(orders)))
    return objective


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_cross_entropy__equals_pytorch_s(smoothing, n_classes):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 16, n_classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(n_classes, (3, 16), generator=generator)
    expected = [
        torch.nn.functional.cross_entropy(own, y, label_smoothing=smoothing)
        for own, y in zip(logits, labels, strict=True)
    ]
    torch.testing.assert_close(cross_entropy(logits, labels, smoothing), torch.stack(expected))


def test_cross_entropy__by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    found = cross_entropy(logits, torch.tensor([0, 1]))
    assert found.item() == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)


def test_call__plain__the_cross_entropy_of_the_rows_in_order():
    objective = start(make_objective(members=2, loss=PlusLossOptions(label_smoothing=0.2)))
    found = objective(slice(4, 12))
    assert found.shape == (2, 2)
    for member in range(2):
        rows = objective.order[member, 4:12]
        logits = make_network(member).train()(objective.x[member][rows])
        expected = torch.nn.functional.cross_entropy(logits, rows % 3, label_smoothing=0.2)
        torch.testing.assert_close(found[:, member], expected.expand(2), rtol=1e-5, atol=1e-6)


def test_call__metric_losses__are_added_with_their_weight():
    loss = PlusLossOptions(metric_weight=0.2)
    objective = start(make_objective(loss=loss, project=True, entangle=True))
    total, plain = objective(slice(0, 16))
    rows = objective.order[0, :16]
    logits, embeddings = make_network(project=True, entangle=True).logits_and_embedding(
        objective.x[0][rows]
    )
    metric = metric_losses(embeddings[None], (rows % 3)[None], 3)
    torch.testing.assert_close(plain[0], torch.nn.functional.cross_entropy(logits, rows % 3))
    torch.testing.assert_close(total, plain + 0.2 * metric)
    assert metric.item() > 0


def test_call__mixup__rows_between_those_of_the_batch_and_draws_of_each_member_s_own():
    loss = PlusLossOptions(mixup=True)
    objective = start(make_objective(members=2, loss=loss))
    seen = []
    network = make_objective(members=2).network

    def record(x):
        seen.append(x)
        return network(x)

    objective.network = record
    objective(slice(0, 24))
    (mixed,) = seen
    plain = objective.x.gather(1, objective.order[..., None].expand(2, 24, 3))
    assert not torch.equal(mixed, plain)
    low, high = objective.x.amin(1, keepdim=True), objective.x.amax(1, keepdim=True)
    assert ((mixed >= low - 1e-6) & (mixed <= high + 1e-6)).all()
    moved = (mixed - plain).abs().sum(-1) > 0
    assert moved.float().mean() > 0.5


def test_call__no_mixup__draws_nothing():
    streams = [Streams.from_seed(0)]
    objective = start(make_objective())
    objective(slice(0, 8))
    assert objective.rngs[0].random() == streams[0].mixup.random()
    assert not hasattr(objective, "draws")


def test_dropout__draws_come_from_the_first_member_s_stream_alone():
    state = torch.random.get_rng_state()
    first, second = (start(make_objective(members=2, dropout=0.5)) for _ in range(2))
    values = [[o(slice(0, 8)) for _ in range(2)] for o in (first, second)]
    assert torch.equal(torch.random.get_rng_state(), state)
    for mine, theirs in zip(*values, strict=True):
        assert torch.equal(mine, theirs)
    assert not torch.equal(*values[0])  # drawn anew at every step


@pytest.mark.parametrize(
    "loss",
    [PlusLossOptions(), PlusLossOptions(metric_weight=0.2, mixup=True)],
    ids=["plain", "all"],
)
def test_backward__members__have_the_gradients_of_each_alone(loss):
    options = {"project": True, "entangle": True}
    together = start(make_objective(members=3, loss=loss, **options))
    terms = together(slice(0, 16))
    gradients = torch.autograd.grad(terms[0].sum(), list(together.parameters()), allow_unused=True)
    for member in range(3):
        network = stack([make_network(member, **options)])
        alone = PlusObjective(
            network, together.x[:1], together.y[:1], loss, [Streams.from_seed(member)]
        )
        alone.start_epoch(together.order[member : member + 1])
        own_terms = alone(slice(0, 16))
        torch.testing.assert_close(terms[:, [member]], own_terms, rtol=1e-6, atol=1e-6)
        own = torch.autograd.grad(own_terms[0].sum(), list(alone.parameters()), allow_unused=True)
        for mine, theirs in zip(gradients, own, strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None:
                torch.testing.assert_close(mine[[member]], theirs, rtol=1e-5, atol=1e-6)
