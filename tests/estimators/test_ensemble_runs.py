import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from tests.estimators.ensembles import make_model, make_table, member_probabilities

from qcl_mixnet.estimators import ensemble
from qcl_mixnet.estimators.training_options import TestSelectionWarning


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_fit__same_int__bit_equal_and_another_int_not(bagging):
    X, y = make_table()
    parameters = {"n_members": 3, "bagging": bagging, "calibrate": True, "epochs": 1}
    first, second, other = (
        make_model(**parameters | {"random_state": seed}).fit(X, y) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    np.testing.assert_array_equal(first.out_of_fold_proba_, second.out_of_fold_proba_)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_fit__random_state_instance__bit_equal_and_drawn_from():
    X, y = make_table()
    parameters = {"n_members": 2, "bagging": "bootstrap", "epochs": 1}
    rng = np.random.RandomState(3)
    first, next_one, again = (
        make_model(**parameters, random_state=state).fit(X, y).predict_proba(X)
        for state in (rng, rng, np.random.RandomState(3))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_one)


def test_n_jobs__any_number__same_networks_and_probabilities():
    X, y = make_table()
    # Eight members are enough to be divided between two threads.
    one, two = (
        make_model(n_members=8, bagging="folds", n_jobs=n, epochs=1).fit(X, y) for n in (1, 2)
    )
    for first, second in zip(one.networks_, two.networks_, strict=True):
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name]), name
    np.testing.assert_array_equal(one.out_of_fold_proba_, two.out_of_fold_proba_)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_n_jobs__predict_few_rows__needs_one_thread_and_puts_them_back(monkeypatch, n_jobs):
    X, _ = make_table()
    model, threads = make_model(epochs=1).fit(*make_table()), []
    before = torch.get_num_threads()
    monkeypatch.setattr(
        model, "_stacked", lambda x: (threads.append(torch.get_num_threads()), x[..., :3])[1]
    )
    model.set_params(n_jobs=n_jobs).predict_proba(X)
    assert threads == [1]
    assert torch.get_num_threads() == before


def test_n_jobs__error_in_predict__puts_the_threads_back(monkeypatch):
    X, _ = make_table()
    model = make_model(epochs=1).fit(*make_table())

    def fail(x):
        raise MemoryError

    monkeypatch.setattr(model, "_stacked", fail)
    before = torch.get_num_threads()
    with pytest.raises(MemoryError):
        model.set_params(n_jobs=before + 1).predict_proba(X)
    assert torch.get_num_threads() == before


def test_n_jobs__fit__puts_the_threads_back():
    before = torch.get_num_threads()
    make_model(epochs=1, n_jobs=before + 1).fit(*make_table())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_checkpoint_validation__every_network_keeps_its_own_best(bagging):
    X, y = make_table()
    model = make_model(n_members=3, bagging=bagging, checkpoint="validation", epochs=4).fit(X, y)
    scores = model.history_.pivot_table(index="epoch", columns="member", values="macro_f1")
    assert model.best_epoch_ == scores.idxmax().tolist()
    n_held_out = sum(round(0.2 * (y == label).sum()) for label in model.classes_)
    if bagging is None:
        assert model.out_of_fold_proba_ is None
    else:
        assert model.out_of_fold_proba_.shape == (len(y) - n_held_out, 3)


def test_checkpoint_validation__held_out_rows__are_not_those_of_a_fold():
    X, y = make_table()
    model = make_model(n_members=2, bagging="folds", checkpoint="validation", epochs=1).fit(X, y)
    assert np.isfinite(model.out_of_fold_proba_).all()  # of the rows that are not held out


def test_checkpoint_test__ensemble__chooses_each_network_on_those_rows():
    X, y = make_table(80)
    model = make_model(n_members=2, bagging="folds", checkpoint="test", epochs=3)
    with pytest.warns(TestSelectionWarning, match="optimistic"):
        model.fit(X[:60], y[:60], eval_set=(X[60:], y[60:]))
    assert model.test_selected_
    best = model.history_.groupby("member")["macro_f1"].max()
    scores = [
        f1_score(y[60:], model.classes_[p.argmax(axis=1)], average="macro")
        for p in member_probabilities(model, X[60:])
    ]
    np.testing.assert_allclose(scores, best)


@pytest.mark.parametrize("method", ["predict_proba", "transform", "embed"])
def test_n_jobs__every_look_at_rows__uses_that_many_threads(monkeypatch, method):
    X, y = make_table()
    model = make_model(epochs=1, n_jobs=1).fit(X, y)
    seen, plain = [], ensemble.in_chunks

    def noted(function, x):
        seen.append(torch.get_num_threads())
        return plain(function, x)

    monkeypatch.setattr(ensemble, "in_chunks", noted)
    getattr(model, method)(X)
    assert seen == [1]
