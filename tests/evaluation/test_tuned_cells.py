"""Models whose decision is tuned, with a grid and without, seen through a cell's record."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from tests.evaluation.probes import (
    KNN,
    PROBE,
    QCL_MIXNET,
    SEED,
    TREE,
    Probe,
    columns,
    make_data,
    run,
)

from qcl_mixnet.estimators.tuned_decision import TunedDecisionClassifier
from qcl_mixnet.evaluation import keys
from qcl_mixnet.evaluation.cell_data import split_parts
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.search import SearchedClassifier
from qcl_mixnet.evaluation.specs import (
    ModelSpec,
    ModelSpecError,
    build_model,
    class_paths,
    with_decision,
)

BAYES = {"class": "sklearn.naive_bayes.GaussianNB"}
TUNED = {"decision": "macro_f1"}
PATH = "qcl_mixnet.estimators.tuned_decision.TunedDecisionClassifier"


def spec_of(model, **changes):
    return ModelSpec.model_validate({"family": "ml", "label": "M", **model, **changes})


def test_run_cell__tuned_decision__is_that_of_the_classifier_around_the_whole_pipeline():
    data = make_data()
    result = run({**BAYES, **TUNED}, data)
    inner = build_model(spec_of(BAYES), random_state=SEED)
    train, (test, _) = split_parts(data, data.splits[0])
    expected = TunedDecisionClassifier(inner, random_state=SEED).fit(*train)
    np.testing.assert_array_equal(result.predictions["y_pred"], expected.predict(test))
    np.testing.assert_array_equal(columns(result, "proba"), expected.predict_proba(test))
    assert result.record["parameters"]["var_smoothing"] == 1e-9


def test_run_cell__tuned_decision__probabilities_are_those_of_the_plain_model():
    plain, tuned = run(BAYES), run({**BAYES, **TUNED})
    np.testing.assert_array_equal(columns(plain, "proba"), columns(tuned, "proba"))
    assert (plain.predictions["y_pred"] != tuned.predictions["y_pred"]).any()
    assert plain.record["key"] != tuned.record["key"]


def test_run_cell__grid_and_tuned_decision__search_in_every_fold_and_on_all_rows():
    result = run({**KNN, "grid": {"n_neighbors": [1, 5]}, **TUNED})
    assert not result.failed, result.record["error"]
    (repeat,) = result.record["repeats"]
    plain = run({**KNN, "grid": {"n_neighbors": [1, 5]}}).record["repeats"][0]
    assert repeat["best_parameters"] == plain["best_parameters"]
    parameters = result.record["parameters"]
    assert parameters["n_neighbors"] == repeat["best_parameters"]["n_neighbors"]


def test_run_cell__tuned_decision__threads_go_to_the_model():
    Probe.threads.clear()
    assert not run({**PROBE, **TUNED}, n_jobs=2).failed
    assert {n_jobs for _, n_jobs in Probe.threads} == {2}
    assert len(Probe.threads) == 6  # five folds, and all rows


def test_run_cell__network_with_tuned_decision__keeps_history_and_representation():
    parameters = {**QCL_MIXNET["params"], "epochs": 1}
    result = run({**QCL_MIXNET, "params": parameters, **TUNED})
    assert not result.failed, result.record["error"]
    assert result.history["epoch"].tolist() == [1]
    assert len(result.representation) == 30


def test_run_cell__checkpoint_on_test_rows_and_tuned_decision__are_refused():
    result = run({**QCL_MIXNET, **TUNED}, checkpoint="test")
    assert "decision='macro_f1' tunes on training rows alone" in result.record["error"]


def test_class_paths__of_a_tuned_decision__have_the_classifier_that_tunes():
    assert class_paths(spec_of(TREE)) == [TREE["class"]]
    assert class_paths(spec_of(TREE, **TUNED)) == [TREE["class"], PATH]


@pytest.mark.parametrize(
    ("module", "plain"), [("estimators.decision_average", False), ("baselines.classical", True)]
)
def test_cell_key__edit_in_what_tunes__counts_for_tuned_models_alone(
    monkeypatch, tmp_path, module, plain
):
    def both():
        keys.code_digest.cache_clear()
        specs = (spec_of(KNN), spec_of(KNN, **TUNED))
        return [keys.cell_key("t", spec, EvaluationProtocol()) for spec in specs]

    before, find = both(), keys._source
    edited = tmp_path / "edited.py"
    source = find(f"qcl_mixnet.{module}").read_text("utf-8")
    edited.write_text(source + "\nadded = 1\n", "utf-8")
    monkeypatch.setattr(
        keys, "_source", lambda name: edited if name == f"qcl_mixnet.{module}" else find(name)
    )
    changed = [a != b for a, b in zip(before, both(), strict=True)]
    keys.code_digest.cache_clear()
    assert changed == [plain, True]


def test_cell_key__tunable__leaves_results_alone_and_the_metric_does_not():
    def key(**changes):
        return keys.cell_key("t", spec_of(TREE, **changes), EvaluationProtocol())

    assert key(tunable=True) == key()
    assert len({key(), key(**TUNED), key(decision="balanced_accuracy")}) == 3


def test_with_decision__takes_metric_and_seed():
    spec = spec_of(TREE, decision="balanced_accuracy")
    model = with_decision(spec, build_model(spec, random_state=3), random_state=3)
    assert isinstance(model, TunedDecisionClassifier)
    assert (model.metric, model.random_state) == ("balanced_accuracy", 3)


def test_searched_classifier__is_the_search():
    data = make_data()
    (table, y), _ = split_parts(data, data.splits[0])
    inner = build_model(spec_of(TREE), random_state=0)
    found = SearchedClassifier(inner, {"model__max_depth": [1, 4]}, folds=2, seed=1).fit(table, y)
    assert isinstance(found.search_, GridSearchCV)
    assert found.search_.best_params_ == {"model__max_depth": 4}
    np.testing.assert_array_equal(found.predict(table), found.search_.predict(table))
    assert found.predict_proba(pd.DataFrame(table)).shape == (len(y), 3)
    assert found.classes_.tolist() == [0, 1, 2]


def test_build_model__unknown_decision__is_refused():
    with pytest.raises(ValueError, match="decision"):
        spec_of(TREE, decision="accuracy")
    assert issubclass(ModelSpecError, ValueError)
