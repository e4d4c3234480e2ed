"""Fold by fold: what fails, what is too slow, what is interrupted."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.trial import probes

from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.folds import cross_validation
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.trial import comparison
from qcl_mixnet.trial.comparison import Comparison, compare


def spec(name, **params):
    return ModelSpec.model_validate(
        {"class": f"tests.trial.probes.{name}", "params": params, "family": "ml", "label": name}
    )


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [60, 30]).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(size=90) + labels, "b": rng.normal(size=90)})
    return CellData(frame, labels, 2, cross_validation(labels, folds=3), "x")


TREE = ModelSpec.model_validate(
    {
        "class": "sklearn.tree.DecisionTreeClassifier",
        "params": {"max_depth": 2},
        "family": "ml",
        "label": "DT",
    }
)


def test_compare__every_row_is_predicted_once_by_a_model_that_has_not_seen_it(data):
    seen = []
    result = compare(
        data, {"tree": TREE}, seed=1, n_jobs=1, seconds=60, on_fit=lambda *told: seen.append(told)
    )
    assert seen == [("DT", fold, 3) for fold in range(3)]
    rows = pd.concat(result.complete["tree"].folds)
    assert sorted(rows["row"]) == list(range(90))
    assert (rows.set_index("row")["y_true"].sort_index() == data.labels).all()
    for fold, split in zip(result.attempts["tree"].folds, data.splits, strict=True):
        np.testing.assert_array_equal(fold["row"], split.test)


def test_compare__failing_model__is_left_out_with_its_error(data, caplog):
    specs = {"bad": spec("FailingClassifier"), "tree": TREE}
    result = compare(data, specs, seed=1, n_jobs=1, seconds=60)
    assert list(result.complete) == ["tree"]
    assert result.attempts["bad"].problem == "ValueError: no such luck"
    assert "no such luck" in caplog.text


@pytest.fixture
def clock(monkeypatch):
    """A clock that only fits move: by what the parameter `seconds` of the model says."""
    now = SimpleNamespace(value=0.0)

    def run(part, spec, protocol, *, n_jobs):
        seconds = spec.params.get("seconds", 1.0)
        now.value += seconds
        rows = pd.DataFrame({"row": part.splits[0].test})
        metrics = {"fit_seconds": seconds - 0.25, "predict_seconds": 0.25}
        # What is done once, such as compiling, is in the seconds of the whole cell alone.
        record = {"status": "ok", "seconds": 99.0, "repeats": [{"metrics": metrics}]}
        return CellResult(record, predictions=rows)

    monkeypatch.setattr(comparison, "run_cell", run)
    monkeypatch.setattr(comparison, "time", SimpleNamespace(monotonic=lambda: now.value))
    return now


def folds_of(result):
    return [len(attempt.folds) for attempt in result.attempts.values()]


def test_compare__no_time__the_costliest_is_left_out_of_the_other_folds(data, clock):
    specs = {"slow": spec("SlowClassifier", seconds=5), "quick": TREE, "other": TREE}
    result = compare(data, specs, seed=1, n_jobs=1, seconds=12)
    assert folds_of(result) == [1, 3, 3]
    assert list(result.complete) == ["quick", "other"]
    assert result.attempts["slow"].problem == (
        "no time: 5 s a fold, more than all others together, and 5 s were left for 2 fold(s); "
        "allow more with --time-limit"
    )


def test_compare__time_for_all__nobody_is_left_out(data, clock):
    specs = {"slow": spec("SlowClassifier", seconds=5), "quick": TREE, "other": TREE}
    result = compare(data, specs, seed=1, n_jobs=1, seconds=21)
    assert folds_of(result) == [3, 3, 3]
    assert clock.value == 21


def test_compare__no_time_with_equal_costs__fewer_folds_of_all(data, clock):
    result = compare(data, {str(i): TREE for i in range(3)}, seed=1, n_jobs=1, seconds=7)
    assert folds_of(result) == [2, 2, 2]
    assert result.n_folds == 2
    assert len(result.complete) == 3


def test_compare__no_time_at_all__one_fold_of_all(data, clock):
    result = compare(data, {"a": TREE, "b": TREE}, seed=1, n_jobs=1, seconds=1e-9)
    assert folds_of(result) == [1, 1]
    assert len(result.complete) == 2


def test_compare__interrupt__keeps_what_is_done(data, monkeypatch):
    monkeypatch.setattr(probes.InterruptedClassifier, "fits", 0)
    specs = {"tree": TREE, "stopped": spec("InterruptedClassifier")}
    result = compare(data, specs, seed=1, n_jobs=1, seconds=60)
    assert result.interrupted
    assert result.n_folds == 1
    assert [len(attempt.folds) for attempt in result.attempts.values()] == [2, 1]
    assert list(result.complete) == ["tree", "stopped"]


def test_compare__first_fold_takes_more_than_half_of_the_time__is_stopped_and_the_rest_goes_on(
    data,
):
    specs = {"tree": TREE, "other": TREE, "endless": spec("EndlessClassifier"), "last": TREE}
    result = compare(data, specs, seed=1, n_jobs=1, seconds=4)
    assert list(result.complete) == ["tree", "other", "last"]
    assert result.attempts["endless"].problem.startswith("no time: its first fold took more than")
    assert not result.interrupted


def test_leave_out__the_dummy_is_none_of_the_two_that_stay(data, clock):
    slow = spec("SlowClassifier", seconds=5)
    specs = {"dummy": TREE, "slow": slow, "quick": TREE}
    assert folds_of(compare(data, specs, seed=1, n_jobs=1, seconds=12)) == [1, 1, 1]


def test_scored_folds__whole_repeats_or_what_there_is():
    assert [Comparison({}, n, False).scored_folds(3) for n in range(8)] == [0, 1, 2, 3, 3, 3, 6, 6]
