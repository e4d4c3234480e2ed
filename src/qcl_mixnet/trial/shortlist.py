"""The models that a trial compares: few, quick, and each there for a reason."""

from __future__ import annotations

from typing import Any

from qcl_mixnet.evaluation.specs import ModelSpec

_ESTIMATORS = "qcl_mixnet.estimators"

DUMMY = "dummy"
PLUS = "qcl_mixnet_plus"
RECOMMENDED = "qcl_mixnet_recommended"

# The roster's entries of these names, without grid searches: a trial has minutes, and its decisions
# are tuned anyhow. A test holds the two together.
_ENTRIES: dict[str, dict[str, Any]] = {
    DUMMY: {
        "class": "sklearn.dummy.DummyClassifier",
        "params": {"strategy": "prior"},
        "family": "peer",
        "label": "Dummy",
    },
    "logistic_regression_tuned": {
        "class": "sklearn.linear_model.LogisticRegression",
        "params": {"max_iter": 2000},
        "family": "ml",
        "label": "LR, tuned decision",
        "decision": "macro_f1",
    },
    "hist_gradient_boosting_tuned": {
        "class": "sklearn.ensemble.HistGradientBoostingClassifier",
        "params": {"early_stopping": False},
        "family": "peer",
        "label": "HistGB, tuned decision",
        "decision": "macro_f1",
    },
    "random_forest": {
        "class": "sklearn.ensemble.RandomForestClassifier",
        "params": {"n_estimators": 300},
        "family": "ml",
        "label": "RF",
    },
    PLUS: {
        "class": f"{_ESTIMATORS}.plus.classifier.QCLMixNetPlusClassifier",
        "family": "proposed",
        "label": "QCL-MixNet+",
        "preprocess": False,
    },
    RECOMMENDED: {
        "class": f"{_ESTIMATORS}.classifier.QCLMixNetClassifier",
        "params": {
            "n_members": 10,
            "bagging": "folds",
            "calibrate": True,
            "decision": "macro_f1",
        },
        "family": "proposed",
        "label": "QCL-MixNet (recommended)",
        "preprocess": False,
    },
}
SHORTLIST: dict[str, ModelSpec] = {
    name: ModelSpec.model_validate(entry) for name, entry in _ENTRIES.items()
}
