import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.whole import fit_whole

ROWS = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40) % 3})
LABELS = np.where(np.arange(40) < 30, "common", "rare")


def spec(**changes):
    entry = {"class": "sklearn.tree.DecisionTreeClassifier", "family": "ml", "label": "DT"}
    return ModelSpec.model_validate({**entry, **changes})


def test_fit_whole__no_grid__sees_every_row_and_gives_the_users_labels():
    fitted = fit_whole(ROWS, LABELS, spec(), EvaluationProtocol())
    assert fitted.model.classes_.tolist() == ["common", "rare"]
    assert fitted.model.predict(ROWS).tolist() == LABELS.tolist()
    assert fitted.model[-1].tree_.n_node_samples[0] == 40
    assert fitted.best_parameters == {}


def test_fit_whole__grid_and_tuned_decision__are_searched_and_tuned():
    grid = {"max_depth": [1, 2], "random_state": [7]}
    fitted = fit_whole(ROWS, LABELS, spec(grid=grid), EvaluationProtocol(folds=2))
    assert fitted.best_parameters["model__random_state"] == 7
    tuned = fit_whole(
        ROWS, LABELS, spec(grid=grid, decision="macro_f1"), EvaluationProtocol(folds=2)
    )
    assert len(tuned.model.decision_weights_) == 2
    assert tuned.inner[-1].tree_.n_node_samples[0] == 40


def test_fit_whole__checkpoint_test__is_refused():
    with pytest.raises(EvaluationError, match=r"no test part; set protocol\.checkpoint"):
        fit_whole(ROWS, LABELS, spec(), EvaluationProtocol(checkpoint="test"))
