"""`fit(X, y, groups=...)`: whatever leaves rows out leaves whole groups out."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate

from qcl_mixnet import (
    DuplicateRowsWarning,
    QCLMixNetClassifier,
    QCLMixNetPlusClassifier,
    TunedDecisionClassifier,
    groups_of_duplicates,
    load_fitted,
    save_fitted,
)
from qcl_mixnet.estimators.bagging import bootstraps, folds
from qcl_mixnet.estimators.holdout import holdout_split
from qcl_mixnet.estimators.plus.fit import PlusTraining
from qcl_mixnet.estimators.plus.stopping import Clock

RNG = np.random.default_rng(0)
OWNERS = np.repeat(np.arange(30), 4)
Y = np.repeat(RNG.permutation([0] * 20 + [1] * 10), 4)
X = RNG.normal(size=(120, 4)) + Y[:, None]
NAMES = [f"patient {owner}" for owner in OWNERS]
FEW = np.repeat([0, 1, 2], 40)
TUNED = {"calibrate": True, "decision": "macro_f1"}


def net(**changes):
    return QCLMixNetClassifier(epochs=2, random_state=0, n_jobs=1, device="cpu").set_params(
        **changes
    )


def apart(bags):
    return all(not np.intersect1d(OWNERS[b.in_bag], OWNERS[b.out_of_bag]).size for b in bags)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6))
def test_bags__any_seed__no_group_on_both_sides_and_equally_many_rows(seed, n):
    rng = np.random.default_rng(seed)
    for draw in (folds, bootstraps):
        bags = draw(Y, n, rng, OWNERS)
        assert apart(bags)
        assert len({len(bag.in_bag) for bag in bags}) == 1
        assert all(set(Y[bag.in_bag]) == {0, 1} for bag in bags)
    parts = folds(Y, n, rng, OWNERS)
    assert sorted(np.concatenate([bag.out_of_bag for bag in parts])) == [*range(120)]
    for bag in parts:  # the others, and perhaps some of them again
        assert set(bag.in_bag) == set(range(120)) - set(bag.out_of_bag)
    train, held = holdout_split(Y, 0.2, rng, OWNERS)
    assert len(held)
    assert not np.intersect1d(OWNERS[train], OWNERS[held]).size


def test_bootstraps__of_groups__draw_as_many_groups_as_there_are_with_all_their_rows():
    (bag,) = bootstraps(Y, 1, np.random.default_rng(3), OWNERS)
    times = np.bincount(bag.in_bag, minlength=120).reshape(30, 4)
    assert (times == times[:, :1]).all()
    assert times[:, 0].sum() == 30
    assert set(bag.out_of_bag) == set(np.flatnonzero(times.ravel() == 0))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_members": 3, "bagging": "folds", **TUNED},
        {"n_members": 3, "bagging": "bootstrap", **TUNED},
        TUNED,
        {"checkpoint": "validation", "n_members": 2, "bagging": "folds", **TUNED},
    ],
    ids=["folds", "bootstrap", "one network", "validation"],
)
def test_fit__rows_that_a_network_trains_on__have_no_group_of_those_it_leaves_out(
    changes, monkeypatch
):
    seen = []
    keep = QCLMixNetClassifier._keep
    monkeypatch.setattr(
        QCLMixNetClassifier, "_keep", lambda self, done: (seen.extend(done), keep(self, done))[1]
    )
    model = net(**changes).fit(np.column_stack([X, OWNERS]), Y, groups=NAMES)
    scale = model.preprocessor_.transform(np.column_stack([X, OWNERS]))[:, -1]
    owner_of = {np.float32(value): owner for value, owner in zip(scale, OWNERS, strict=True)}
    left_out = 0
    for prepared, _ in seen:
        owners = np.array([owner_of[value] for value in prepared.x[:, -1].numpy()])
        if prepared.out_of_bag is not None:
            left_out += len(prepared.out_of_bag)
            inside = owners[prepared.rows.numpy()]
            assert not np.intersect1d(inside, owners[prepared.out_of_bag]).size
        if prepared.scored_x is not None:
            held = [owner_of[value] for value in prepared.scored_x[:, -1].numpy()]
            assert held
            assert not np.intersect1d(owners, held).size
    assert left_out >= len(model.out_of_fold_labels_) / 2


def test_plus__folds__never_part_a_group_and_are_as_many_as_groups_at_most(monkeypatch):
    trainings = []
    run = PlusTraining.run
    monkeypatch.setattr(
        PlusTraining, "run", lambda self, *a, **k: (trainings.append(self), run(self, *a, **k))[1]
    )
    model = QCLMixNetPlusClassifier(n_members=1, time_limit=0.1, random_state=0, n_jobs=1)
    model.fit(X, Y, groups=pd.Series(NAMES, dtype="category"))
    assert len(trainings[0].bags) == 8
    assert apart(trainings[0].bags)
    assert np.isfinite(model.out_of_fold_proba_).all()
    few = np.repeat(np.arange(4), 30)
    y = np.tile([0, 1], 60)
    tensor = trainings[0].x
    small = PlusTraining(
        tensor, y, trainings[0].layout, 2, seed=0, n_jobs=1, clock=Clock(None), owners=few
    )
    assert len(small.bags) == 4


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes the owners, in the last column, and the groups that it is fitted with."""

    seen = []  # noqa: RUF012 - emptied by the test

    def fit(self, X, y, groups=None):
        Recorder.seen.append((np.asarray(X)[:, -1], groups))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize("cv", [4, GroupKFold(4)])
def test_tuned_decision__cross_fitting__leaves_whole_groups_out_and_hands_them_on(cv):
    Recorder.seen.clear()
    owned = np.column_stack([X, OWNERS])
    model = TunedDecisionClassifier(Recorder(), cv=cv, random_state=0)
    model.fit(owned, Y, groups=OWNERS.tolist())
    *parts, (everyone, groups) = Recorder.seen
    assert len(parts) == 4
    np.testing.assert_array_equal(groups, everyone)
    for owners, groups in parts:
        np.testing.assert_array_equal(groups, owners)
        counts = np.bincount(owners.astype(int), minlength=30)
        assert set(counts) == {0, 4}


def test_tuned_decision__splitter_that_parts_groups__is_refused():
    model = TunedDecisionClassifier(LogisticRegression(), cv=KFold(3, shuffle=True, random_state=0))
    with pytest.raises(ValueError, match=r"Split 0 .* group\(s\) on both sides"):
        model.fit(X, Y, groups=OWNERS)


@pytest.mark.parametrize(
    ("model", "groups", "message"),
    [
        (net(n_members=5, bagging="folds"), FEW, "n_members=5 .* 3 groups.*; use n_members=3"),
        (TunedDecisionClassifier(LogisticRegression()), FEW, "cv=5 folds .* there are 3; use cv=3"),
        (net(**TUNED), Y, r"class 0 lie in 1 group, .*at least 2"),
        (net(checkpoint="validation"), Y, "class 0 lie in 1 group"),
        (QCLMixNetPlusClassifier(n_members=1), Y, "class 0 lie in 1 group"),
        (net(), [np.nan, *OWNERS[1:]], r"missing .* in 1 row"),
        (QCLMixNetPlusClassifier(), [None, *OWNERS[1:]], r"missing .* in 1 row"),
        (net(), OWNERS[:-1], r"shape \(119,\), and there are 120 rows"),
    ],
)
def test_fit__groups_that_do_not_do__are_one_sentence(model, groups, message):
    y = np.tile([0, 1], 60) if groups is FEW else Y
    with pytest.raises(ValueError, match=message):
        clone(model).fit(X, y, groups=groups)


def test_fit__each_row_a_group_of_its_own__is_as_random_as_without():
    model = net(n_members=2, bagging="folds", **TUNED).fit(X, Y, groups=np.arange(120))
    assert np.isfinite(model.out_of_fold_proba_).all()


def test_metadata_routing__grid_search_by_groups__hands_them_to_the_folds_inside(monkeypatch):
    seen = []
    prepare = QCLMixNetClassifier._prepare

    def noted(self, X, y, *args):
        seen.append((len(y), args[-1]))
        return prepare(self, X, y, *args)

    monkeypatch.setattr(QCLMixNetClassifier, "_prepare", noted)
    with config_context(enable_metadata_routing=True):
        model = net(n_members=2, bagging="folds", **TUNED).set_fit_request(groups=True)
        search = GridSearchCV(model, {"focal_gamma": [1.0]}, cv=GroupKFold(3))
        search.fit(X, Y, groups=OWNERS)
        tuned = TunedDecisionClassifier(LogisticRegression(), cv=2).set_fit_request(groups=True)
        scores = cross_validate(
            tuned, X, Y, cv=GroupKFold(3), params={"groups": OWNERS}, error_score="raise"
        )
    assert [n for n, _ in seen] == [80, 80, 80, 120]
    assert all(len(groups) == n for n, groups in seen)
    assert len(scores["test_score"]) == 3


def test_saved_model__keeps_no_groups(tmp_path):
    model = net(n_members=2, bagging="folds", **TUNED).fit(X, Y, groups=NAMES)
    save_fitted(model, tmp_path / "model")
    for path in (tmp_path / "model").rglob("*"):
        assert path.is_dir() or b"patient" not in path.read_bytes()
    again = load_fitted(tmp_path / "model", "cpu")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert not any("owner" in name or "group" in name for name in vars(model))


@pytest.mark.parametrize(
    "model",
    [
        net(n_members=2, bagging="folds", **TUNED),
        QCLMixNetPlusClassifier(n_members=1, time_limit=0.1, random_state=0, n_jobs=1),
        TunedDecisionClassifier(LogisticRegression(), cv=3, random_state=0),
    ],
    ids=["mixnet", "plus", "tuned"],
)
def test_fit__copies_in_other_folds__are_warned_of_and_kept_together_by_the_remedy(model):
    twice, y = np.repeat(X[::4], 2, axis=0), np.repeat(Y[::4], 2)
    with pytest.warns(DuplicateRowsWarning, match="of 60 rows") as caught:
        clone(model).fit(twice, y)
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(model).fit(twice, y, groups=groups_of_duplicates(twice))
        net().fit(twice, y)  # nothing is out of fold
