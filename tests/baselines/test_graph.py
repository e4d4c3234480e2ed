import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.repeated_rows import EXPECTED_FAILURES

from qcl_mixnet.baselines import graph, neighbor_graph
from qcl_mixnet.baselines.graph import (
    GATClassifier,
    GCNClassifier,
    GINClassifier,
    GraphObjective,
    GraphSAGEClassifier,
    JKNetClassifier,
)
from qcl_mixnet.baselines.graph_networks import GCN, GIN
from qcl_mixnet.baselines.neighbor_graph import NeighborGraph, TrainingGraph
from qcl_mixnet.estimators.training_options import TestSelectionWarning

CLASSIFIERS = [GCNClassifier, GraphSAGEClassifier, GATClassifier, GINClassifier, JKNetClassifier]

every_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


def make_table(n_rows=120, seed=0):
    return make_classification(
        n_rows, n_features=6, n_informative=4, weights=[0.8, 0.2], random_state=seed
    )


def whole(neighbor_graph):
    """All rows of a graph and all of its edges, as a network takes them."""
    part = neighbor_graph.neighborhood(torch.arange(len(neighbor_graph.x)), 1)
    return neighbor_graph.x, part.edges


QUICK = {"epochs": 8, "batch_size": 512, "learning_rate": 0.05, "hidden_width": 16}


@parametrize_with_checks(
    [classifier(**QUICK, random_state=0) for classifier in CLASSIFIERS],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_scikit_learn_s_own_checks(estimator, check, run_check):
    run_check(estimator, check)


@every_classifier
def test_fit__separate_unequal_clusters__are_learnt(classifier):
    rng = np.random.default_rng(0)
    y = np.repeat(["common", "less", "rare"], [120, 40, 12])
    X = rng.normal(size=(len(y), 4)) + 4 * (y == "less")[:, None] - 4 * (y == "rare")[:, None]
    model = classifier(epochs=20, learning_rate=0.01, random_state=0)
    predicted = cross_val_predict(model, X, y, cv=3)
    assert f1_score(y, predicted, average="macro") > 0.95


@every_classifier
def test_defaults__are_the_paper_s(classifier):
    params = classifier().get_params()
    expected = {
        "n_neighbors": 5,
        "hidden_width": 64,
        "n_layers": 3 if classifier is JKNetClassifier else 2,
    }
    assert {name: params[name] for name in expected} == expected


@every_classifier
def test_predict_proba__a_row_does_not_depend_on_the_others_asked(classifier):
    X, y = make_table()
    model = classifier(epochs=2, random_state=0).fit(X[:90], y[:90])
    asked = X[90:]
    together = model.predict_proba(asked)
    alone = np.concatenate([model.predict_proba(asked[i : i + 1]) for i in range(len(asked))])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-7)
    crowd = np.concatenate([asked[:1], asked[:1] + 1e-3 * np.arange(40)[:, None]])
    np.testing.assert_allclose(model.predict_proba(crowd)[0], alone[0], rtol=1e-5, atol=1e-7)


def test_predict_proba__row_on_a_lattice__has_the_same_neighbours_in_any_company():
    X = np.random.default_rng(0).integers(3, size=(300, 16)).astype(float)
    model = GCNClassifier(epochs=1, random_state=0).fit(X[:250], X[:250, 0].astype(int))
    together = model.predict_proba(X[250:])
    for i in range(50):
        alone = model.predict_proba(X[250 + i : 251 + i])[0]
        np.testing.assert_allclose(together[i], alone, rtol=1e-5, atol=1e-7)


@every_classifier
def test_predict_proba__training_rows__are_not_told_of_the_rows_asked(classifier):
    X, y = make_table()
    model = classifier(epochs=2, random_state=0).fit(X[:90], y[:90])
    joined = model.graph_.join(torch.from_numpy(model.preprocessor_.transform(X[90:])))
    with torch.no_grad():
        before = model.network_(*whole(model.graph_))
        after = model.network_(*whole(joined))
    torch.testing.assert_close(after[:90], before, rtol=1e-5, atol=1e-6)
    # and what predict_proba says of the others is what the whole graph does
    expected = torch.softmax(after[90:].double(), dim=1).numpy()
    np.testing.assert_allclose(model.predict_proba(X[90:]), expected, rtol=1e-5, atol=1e-7)


@every_classifier
def test_predict_proba__any_chunk_size(classifier, monkeypatch):
    X, y = make_table()
    model = classifier(epochs=2, random_state=0).fit(X, y)
    at_once = model.predict_proba(X)
    monkeypatch.setattr(graph, "PREDICTED_AT_ONCE", 7)
    np.testing.assert_allclose(model.predict_proba(X), at_once, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
@pytest.mark.filterwarnings("ignore::qcl_mixnet.estimators.training_options.TestSelectionWarning")
def test_fit__graph__holds_rows_that_are_trained_on_and_no_others(checkpoint):
    X, y = make_table()
    X[:, 0] = np.arange(120)  # tells every row from every other
    eval_set = (X[90:], y[90:]) if checkpoint == "test" else None
    model = GCNClassifier(epochs=2, checkpoint=checkpoint, random_state=0)
    model.fit(X[:90], y[:90], eval_set=eval_set)
    p = model.preprocessor_
    rows = np.rint(model.graph_.x.numpy()[:, 0] * p.scales_[0] + p.means_[0]).astype(int)
    if checkpoint == "validation":
        assert len(set(rows)) == len(rows) == 72
        assert set(rows) < set(range(90))
    else:
        assert rows.tolist() == list(range(90))
    assert model.graph_.neighbors.shape == (len(rows), 5)


def test_objective__mini_batch__cross_entropy_of_its_own_rows_on_the_whole_graph():
    generator = torch.Generator().manual_seed(0)
    training = TrainingGraph(torch.randn(80, 4, generator=generator), 5)
    labels = torch.randint(3, (80,), generator=generator)
    net = GIN.build(4, 3, generator=generator)
    objective = GraphObjective(net, training, labels)
    objective.start_epoch(torch.tensor([[5, 60, 7, 33]]))
    terms = objective(slice(1, 4))
    log_proba = torch.log_softmax(net(*whole(training)), dim=1)
    expected = -(log_proba[60, labels[60]] + log_proba[7, labels[7]] + log_proba[33, labels[33]])
    torch.testing.assert_close(terms, expected.view(1, 1) / 3)


def test_objective__parameters__are_the_network_s():
    net = GCN.build(4, 3, generator=torch.Generator())
    objective = GraphObjective(net, TrainingGraph(torch.eye(4), 2), torch.arange(4))
    assert [id(p) for p in objective.parameters()] == [id(p) for p in net.parameters()]


@every_classifier
def test_fit__same_seed__bit_equal_and_global_generators_left_alone(classifier):
    X, y = make_table()
    runs = []
    for seed, global_seed in [(0, 1), (0, 2), (1, 1)]:
        with torch.random.fork_rng():
            torch.manual_seed(global_seed)
            torch_state = torch.random.get_rng_state()
            numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
            runs.append(classifier(epochs=2, random_state=seed).fit(X, y).predict_proba(X))
            assert torch.equal(torch_state, torch.random.get_rng_state())
            assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@every_classifier
@pytest.mark.parametrize(
    ("labels", "n_features"),
    [
        ([0] * 30 + [1] * 10, 1),
        ([0] * 30 + [1] * 10, 700),
        ([0] * 60 + [1] * 3, 3),
        ([0] * 62 + [1] * 2 + [2], 3),
        ([0, 1, 1], 3),
        ([0, 1], 3),
    ],
    ids=[
        "1 feature",
        "700 features",
        "class of 3",
        "class and last batch of 1",
        "3 rows",
        "2 rows",
    ],
)
def test_fit__any_table__finite_probabilities(classifier, labels, n_features):
    X = np.random.default_rng(0).normal(size=(len(labels), n_features))
    proba = classifier(epochs=2, random_state=0).fit(X, labels).predict_proba(X)
    assert proba.shape == (len(labels), len(set(labels)))
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
def test_fit__data_frame_with_gaps_and_categories():
    X, y = make_table()
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(kind=np.where(y == 1, "x", "y"))
    frame.loc[::7, "a"] = np.nan
    frame.loc[::9, "kind"] = None
    model = GraphSAGEClassifier(epochs=20, random_state=0).fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert np.isfinite(model.predict_proba(frame.assign(kind="z"))).all()


@every_classifier
def test_fitted__pickled_and_cloned__predicts_alike_and_starts_afresh(classifier):
    X, y = make_table()
    model = classifier(epochs=2, n_layers=1, random_state=0).fit(X, y)
    proba = model.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), proba)
    assert np.array_equal(clone(model).fit(X, y).predict_proba(X), proba)


@pytest.mark.parametrize("checkpoint", ["validation", "test"])
@pytest.mark.filterwarnings("ignore::qcl_mixnet.estimators.training_options.TestSelectionWarning")
def test_checkpoint__keeps_the_best_epoch_and_looks_neighbours_up_once(checkpoint, monkeypatch):
    X, y = make_table(200)
    asked = []
    search = neighbor_graph.nearest_rows
    monkeypatch.setattr(
        neighbor_graph,
        "nearest_rows",
        lambda rows, *args, **kwargs: asked.append(len(rows)) or search(rows, *args, **kwargs),
    )
    eval_set = (X[150:], y[150:]) if checkpoint == "test" else None
    model = GINClassifier(epochs=5, checkpoint=checkpoint, random_state=0)
    model.fit(X[:150], y[:150], eval_set=eval_set)
    best = model.history_["macro_f1"]
    assert model.best_epoch_ == best.idxmax() + 1
    assert model.test_selected_ == (checkpoint == "test")
    assert asked == ([150, 50] if checkpoint == "test" else [120, 30])
    if checkpoint == "test":
        predicted = model.predict(X[150:])
        assert f1_score(y[150:], predicted, average="macro") == pytest.approx(best.max())


def test_checkpoint_test__warns():
    X, y = make_table(60)
    with pytest.warns(TestSelectionWarning, match="optimistic"):
        GCNClassifier(epochs=1, checkpoint="test").fit(X, y, eval_set=(X, y))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_neighbors", 2),
        ("hidden_width", 32),
        ("n_layers", 1),
        ("heads", 8),
        ("max_learning_rate", 1e-2),
        ("learning_rate", 1e-2),
    ],
)
def test_fit__every_option__reaches_the_training(option, value):
    X, y = make_table()
    default = GATClassifier(epochs=2, random_state=0).fit(X, y)
    changed = GATClassifier(epochs=2, random_state=0, **{option: value}).fit(X, y)
    assert not np.array_equal(default.predict_proba(X), changed.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_neighbors": 0}, r"'n_neighbors' .* range \[1, inf\)\. Got 0"),
        ({"n_layers": 0}, "'n_layers'"),
        ({"hidden_width": 1.5}, "'hidden_width'"),
        ({"heads": 0}, "'heads'"),
        ({"heads": 5}, r"hidden_width=64 cannot be shared out among heads=5; make it a multiple"),
        ({"epochs": 0}, "'epochs'"),
    ],
)
def test_fit__bad_parameter__names_it(params, message):
    X, y = make_table()
    with pytest.raises(ValueError, match=message):
        GATClassifier(**{"epochs": 1, **params}).fit(X, y)


def test_neighborhood__whole__is_every_edge():
    rows = NeighborGraph(torch.zeros(3, 1), torch.tensor([[1, 2], [0, 2], [0, 1]]))
    x, edges = whole(rows)
    assert len(x) == 3
    assert sorted(edges.ends.T.tolist()) == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


@pytest.mark.gpu
@every_classifier
def test_fit__cuda__agrees_with_the_cpu_and_predicts_on_it(classifier):
    X, y = make_table(300)
    scores = [
        classifier(epochs=20, device=device, random_state=0).fit(X, y).score(X, y)
        for device in ("cpu", "cuda")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
