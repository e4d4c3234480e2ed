"""Every model of the roster is kept and comes back the same, or is refused by its name."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.keeping.conftest import make_table, roster

from qcl_mixnet import ModelFileError, TunedDecisionClassifier, load_fitted, save_fitted
from qcl_mixnet.estimators.predictions import prediction_table
from qcl_mixnet.evaluation.search import SearchedClassifier
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.keeping.keepers import check_keepable
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.training_columns import TrainingColumns

REFUSED = {
    "chimeraboost": "ChimeraBoostClassifier cannot be kept: ChimeraBoost writes",
    "explainable_boosting": "ExplainableBoostingClassifier cannot be kept: interpret writes",
    "realmlp": "RealMLPClassifier cannot be kept: pytabkit writes",
    "realmlp_search": "TunedRealMLPClassifier cannot be kept: pytabkit writes",
    "tabm": "TabMClassifier cannot be kept: pytabkit writes",
    "qcl_mixnet_plus_trees": "QCLMixNetPlusClassifier cannot be kept: trees of a QCL-MixNet",
}
# Their shortest training takes seconds.
SLOW = {"qcl_mixnet_plus"}
# What a new model is in by itself: who adds one need not touch this file unless it is refused.
KEPT = [name for name in roster() if name not in REFUSED]


def assert_same(loaded, model, table):
    assert np.array_equal(loaded.predict_proba(table), model.predict_proba(table))
    predicted, expected = loaded.predict(table), model.predict(table)
    assert np.array_equal(predicted, expected)
    assert predicted.dtype == expected.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in KEPT]
)
def test_load_fitted__any_model_of_the_roster__same_to_the_last_bit(
    entries, fitted, tmp_path, name
):
    check_keepable(entries[name])
    model = fitted(name)
    table, _ = make_table(80)  # rows that the model has not seen, too
    save_fitted(model, tmp_path / "kept", spec=entries[name], dataset={"name": "mine"})
    loaded = load_fitted(tmp_path / "kept", device="cpu")
    assert_same(loaded, model, table)
    assert prediction_table(loaded, table)["label"].tolist() == model.predict(table).tolist()
    assert TrainingColumns.of(loaded.preprocessor_).names == ("size", "weight", "colour")
    assert TrainingColumns.of(loaded.preprocessor_).levels[2] == {"red", "green"}
    assert loaded.provenance.spec["class"] == entries[name].class_
    assert loaded.provenance.dataset == {"name": "mine"}
    assert not [p for p in (tmp_path / "kept").iterdir() if p.suffix in {".pkl", ".joblib", ".pt"}]


@pytest.mark.parametrize("name", REFUSED)
def test_check_keepable__model_without_a_safe_format__is_refused_by_name(entries, name):
    with pytest.raises(ModelFileError, match=REFUSED[name]):
        check_keepable(entries[name])


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2], [3, 10, 7], [True, False, True], np.array(["x", "yy", "x"], dtype=object),
        np.array([1, 2, 3], dtype=np.uint8), [1.0, 2.0, 4.0],
    ],
    ids=lambda labels: str(labels),
)  # fmt: skip
@pytest.mark.parametrize("name", ["decision_tree", "knn", "xgboost", "lightgbm", "catboost", "mlp"])
def test_load_fitted__labels_of_any_kind__come_back_as_they_were(fitted, tmp_path, name, labels):
    table, texts = make_table()
    values = np.asarray(labels)[np.unique(texts, return_inverse=True)[1]]
    model = fitted(name).fit(table, values)
    save_fitted(model, tmp_path / "kept")
    assert_same(load_fitted(tmp_path / "kept"), model, table)


def test_load_fitted__labels_beyond_64_bits__come_back_as_they_were(fitted, tmp_path):
    table, texts = make_table()
    labels = np.array([2**70, 1, 2], dtype=object)[np.unique(texts, return_inverse=True)[1]]
    model = fitted("mlp").fit(table, labels)
    save_fitted(model, tmp_path / "kept")
    assert_same(load_fitted(tmp_path / "kept"), model, table)


def test_save_fitted__tuned_decision_around_a_search__weights_and_best_are_kept(tmp_path):
    table, labels = make_table()
    pipeline = Pipeline([("preprocess", TablePreprocessor()), ("model", LogisticRegression())])
    search = SearchedClassifier(pipeline, {"model__C": [0.01, 0.02]}, folds=2)
    model = TunedDecisionClassifier(search, random_state=0, cv=2).fit(table, labels)
    model.decision_weights_ = np.array([0.01, 0.02, 1.0])  # decides otherwise than the argmax
    save_fitted(model, tmp_path / "kept")
    loaded = load_fitted(tmp_path / "kept")
    assert_same(loaded, model, table)
    assert loaded.predict(table).tolist() != loaded.model.predict(table).tolist()
    assert loaded.decision_weights_.tolist() == [0.01, 0.02, 1.0]
    best = model.estimator_.search_.best_params_["model__C"]
    assert best == loaded.model["model"].C


def test_save_fitted__other_estimators_of_scikit_learn__are_kept(tmp_path):
    table, labels = make_table()
    for i, classifier in enumerate(
        [CalibratedClassifierCV(RidgeClassifier(), cv=2), AdaBoostClassifier(n_estimators=2)]
    ):
        pipeline = Pipeline([("preprocess", TablePreprocessor()), ("model", classifier)])
        model = GridSearchCV(pipeline, {"preprocess__scale": [True]}, cv=2).fit(table, labels)
        save_fitted(model, tmp_path / str(i))
        assert_same(load_fitted(tmp_path / str(i)), model, table)


def test_save_fitted__two_classes_and_an_unnamed_table__are_kept(fitted, tmp_path):
    rows = np.random.default_rng(0).normal(size=(40, 3))
    for name in ("xgboost", "lightgbm", "catboost", "svm_smote", "gcn", "gradient_boosting"):
        model = fitted(name).fit(rows, np.arange(40) % 2)
        save_fitted(model, tmp_path / name)
        loaded = load_fitted(tmp_path / name)
        assert_same(loaded, model, rows)
        assert not hasattr(loaded, "feature_names_in_")


def test_save_fitted__catboost_on_a_table_that_does_not_vary__is_kept(fitted, tmp_path):
    table = pd.DataFrame({"same": np.ones(20)})
    model = fitted("catboost").fit(table, ["a", "b"] * 10)
    save_fitted(model, tmp_path / "kept")
    assert (tmp_path / "kept" / "model.skops").exists()
    assert_same(load_fitted(tmp_path / "kept"), model, table)


def test_load_fitted__classifier_of_the_own_format__is_the_classifier(fitted, tmp_path):
    model = fitted("qcl_mixnet")
    model.save(tmp_path / "own")
    loaded = load_fitted(tmp_path / "own")
    assert type(loaded) is type(model)


def test_save_fitted__kept_model_again__keeps_what_is_known(kept, tmp_path):
    loaded = load_fitted(kept("decision_tree"))
    save_fitted(loaded, tmp_path / "one", dataset={"name": "mine"}, git_commit="abc")
    save_fitted(load_fitted(tmp_path / "one"), tmp_path / "two")
    again = load_fitted(tmp_path / "two")
    assert again.provenance.dataset == {"name": "mine"}
    assert again.provenance.git_commit == "abc"
    assert_same(again, loaded, make_table()[0])


def test_save_fitted__over_what_is_there__needs_overwrite(kept, fitted, tmp_path, copied):
    there = copied("decision_tree")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_fitted(fitted("knn"), there)
    save_fitted(fitted("knn"), there, overwrite=True)
    assert {path.name for path in there.iterdir()} == {"kept.json", "arrays.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["decision_tree"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="no saved model"):
        save_fitted(fitted("knn"), tmp_path / "notes", overwrite=True)


class Own(LogisticRegression):
    """A class that no list has."""


def behind(classifier):
    return Pipeline([("preprocess", TablePreprocessor()), ("model", classifier)])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            behind(Own()),
            r"holds the type 'tests.keeping.test_saving.Own', which is not on the list",
        ),
        (behind(MLPClassifier(max_iter=1)), "AdamOptimizer', which is not on the list"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "only a TablePreprocessor with"),
        (LogisticRegression(), "nobody would know their columns"),
    ],
)
def test_save_fitted__what_cannot_be_kept__is_refused_and_leaves_nothing(tmp_path, model, message):
    rows = np.random.default_rng(0).normal(size=(40, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, np.arange(40) % 2)
    with pytest.raises(ModelFileError, match=message):
        save_fitted(model, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_save_fitted__not_fitted_or_no_classifier__is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_fitted(behind(LogisticRegression()), tmp_path / "kept")
    rows = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ModelFileError, match="KMeans"):
        save_fitted(behind(KMeans(2)).fit(rows), tmp_path / "kept")


def test_check_keepable__class_of_the_users_own__is_refused_before_training():
    spec = ModelSpec(**{"class": f"{__name__}.Own", "family": "ml", "label": "Own"})
    with pytest.raises(ModelFileError, match="Own', which is not on the list of trusted types"):
        check_keepable(spec)


def test_save_fitted__data_set_that_json_cannot_hold__is_refused(fitted, tmp_path):
    with pytest.raises(ModelFileError, match="cannot be kept in"):
        save_fitted(fitted("decision_tree"), tmp_path / "kept", dataset={"rows": float("nan")})
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import json, sys
import pandas as pd
from qcl_mixnet import load_fitted
table = pd.read_parquet(sys.argv[1])
print(json.dumps([load_fitted(p).predict_proba(table).tolist() for p in sys.argv[2:]]))
assert "mlflow" not in sys.modules and "kedro" not in sys.modules
"""


def test_load_fitted__in_a_new_process__same_to_the_last_bit(fitted, kept, tmp_path):
    names = ["random_forest", "xgboost", "gru"]
    table, _ = make_table()
    table.to_parquet(tmp_path / "table.parquet")
    folders = [str(kept(name)) for name in names]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "table.parquet")]
    found = subprocess.run([*command, *folders], capture_output=True, text=True, check=True).stdout
    for folder, probabilities in zip(folders, json.loads(found), strict=True):
        assert probabilities == load_fitted(folder).predict_proba(table).tolist()
