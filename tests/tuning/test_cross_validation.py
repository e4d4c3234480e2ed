import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from tests.tuning.probes import (
    SEED,
    Bar,
    bar_spec,
    make_classes,
    make_data,
    make_options,
    make_validation,
    network_spec,
)

from qcl_mixnet.estimators import base
from qcl_mixnet.evaluation.specs import ModelSpecError
from qcl_mixnet.tuning.cross_validation import CrossValidation, check_space, derived_seed
from qcl_mixnet.tuning.errors import TuningError


def test_scores__are_the_folds_macro_f1__of_rows_not_trained_on():
    data = make_data()
    scores, warned = make_validation(data=data).scores({"bar": 0.5}, 0)
    assert warned == []
    train = data.splits[0].train
    rows = [index for _, index, _ in Bar.fitted_on]
    assert [len(index) for index in rows] == [32, 32, 32]  # two thirds of 48
    held_out = [np.setdiff1d(train, index) for index in rows]
    assert sorted(np.concatenate(held_out)) == sorted(train)
    for score, index in zip(scores, held_out, strict=True):
        predicted = data.features["a"][index] > 0.5
        assert score == pytest.approx(f1_score(data.labels[index], predicted, average="macro"))


def test_scores__trials_share_folds_and_seeds_and_repeats_do_not():
    validation = make_validation()
    for bar, repeat in ((0.0, 0), (1.0, 0), (1.0, 1)):
        validation.scores({"bar": bar}, repeat)
    seen = [(tuple(index), seed) for _, index, seed in Bar.fitted_on]
    assert seen[:3] == seen[3:6]
    assert not set(seen[:3]) & set(seen[6:])
    assert len({seed for _, seed in seen}) == 6


def test_scores__folds_of_equal_rows__train_as_one_group(monkeypatch):
    groups = []
    train_groups = base.train_groups

    def noted(prepared):
        groups.append([len(member.labels) for own in prepared for member in own])
        return train_groups(prepared)

    monkeypatch.setattr(base, "train_groups", noted)
    data = make_classes()
    space = {"temperature": {"low": 0.1, "high": 1}}
    validation = make_validation(network_spec(), data, space=space)
    scores, _ = validation.scores({"temperature": 0.3}, 0)
    assert groups == [[48, 48, 48]]
    # The same as one after the other.
    monkeypatch.delattr(base.NetworkClassifier, "fit_together")
    assert validation.scores({"temperature": 0.3}, 0)[0] == scores


def test_scores__a_fold_without_a_class__gives_it_no_probability():
    labels = np.array([0] * 8 + [1] * 8 + [2])
    part = pd.DataFrame({"a": range(17)}), labels
    spec = bar_spec(**{"class": "sklearn.neighbors.KNeighborsClassifier"})
    space = {"n_neighbors": {"low": 1, "high": 3, "type": "int"}}
    options = make_options(space=space, metric="log_loss")
    scores, _ = CrossValidation(part, 3, spec, options, SEED).scores({"n_neighbors": 3}, 0)
    assert len(scores) == 3
    assert max(scores) > 3  # the row of class 2 got the probability 0 from one model


def test_check__folds_with_one_class__are_refused():
    part = pd.DataFrame({"a": range(9)}), np.array([0] * 8 + [1])
    with pytest.raises(TuningError, match=r"single class with tuning\.folds=3"):
        CrossValidation(part, 2, bar_spec(), make_options(), SEED).check()
    part = pd.DataFrame({"a": range(2)}), np.array([0, 1])
    with pytest.raises(TuningError, match="No class has 2 training rows"):
        CrossValidation(part, 2, bar_spec(), make_options(), SEED).check()


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"temprature": {"low": 1, "high": 2}}, "did you mean 'temperature'"),
        ({"loss_weight": {"low": 0, "high": 1.5}}, "'loss_weight' parameter .* Got 1.5"),
        ({"n_neighbors": {"low": 1, "high": 3}}, "'n_neighbors' parameter .* Got 1.0"),
        ({"gate": {"choices": ["input", "output"]}}, "'gate' parameter .* Got 'output'"),
        ({"epochs": None}, "tuning.space names no parameter"),
    ],
)
def test_check_space__what_the_model_does_not_take__is_refused(space, sentence):
    with pytest.raises((ModelSpecError, TuningError), match=sentence) as caught:
        check_space(network_spec(), make_options(space=space))
    assert "\n" not in str(caught.value)


def test_derived_seed__hangs_on_every_number():
    assert derived_seed(1, 2) == derived_seed(1, 2)
    assert len({derived_seed(*n) for n in ((1, 2), (2, 1), (1, 2, 1), (1, 3))}) == 4
