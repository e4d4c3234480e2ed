"""Specifications: a model from YAML, or one sentence on what is wrong with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from qcl_mixnet.evaluation.search import grid_search
from qcl_mixnet.evaluation.specs import (
    ModelSpec,
    ModelSpecError,
    build_grid,
    build_model,
    class_paths,
)
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.reporting.published import published_benchmark

MODELS = Path(__file__).parents[2] / "conf" / "base" / "models"
CLASSICAL = {
    "xgboost": "XGBoost",
    "balanced_random_forest": "Balanced RF",
    "svm_smote": "SVM (SMOTE)",
    "decision_tree": "DT",
    "random_forest": "RF",
    "gradient_boosting": "GB",
    "logistic_regression": "LR",
    "knn": "KNN",
}
# Small enough for a test.
TINY = {
    "xgboost": {"n_estimators": 3},
    "balanced_random_forest": {"n_estimators": 3},
    "random_forest": {"n_estimators": 3},
    "gradient_boosting": {"max_iter": 3},
}


def spec(class_: str = "sklearn.ensemble.RandomForestClassifier", **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate({"class": class_, "family": "ml", "label": "M", **changes})


def with_params(given: ModelSpec, params: dict[str, Any]) -> ModelSpec:
    return given.model_copy(update={"params": {**given.params, **params}})


def read_spec(name: str) -> ModelSpec:
    content = yaml.safe_load((MODELS / f"{name}.yml").read_text(encoding="utf-8"))
    assert list(content) == ["models"]
    assert list(content["models"]) == [name]
    return ModelSpec.model_validate(content["models"][name])


@pytest.fixture
def mixed_table() -> tuple[pd.DataFrame, Any]:
    """60 rows with numbers, text and gaps; classes of 40, 16, 2 and 2 rows."""
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c", "d"], [40, 16, 2, 2])
    table = pd.DataFrame({"n": rng.normal(size=60) + (y == "b"), "t": rng.choice(["u", "v"], 60)})
    table.loc[::9, ["n", "t"]] = None
    return table, y


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_models__fit_a_mixed_table_and_keep_their_label(
    name: str, mixed_table: Any
) -> None:
    X, y = mixed_table
    loaded = read_spec(name)
    assert (loaded.family, loaded.label) == ("ml", CLASSICAL[name])
    model = build_model(with_params(loaded, TINY.get(name, {})), random_state=0)
    first = clone(model).fit(X, y).predict_proba(X)
    assert first.shape == (60, 4)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(first, clone(model).fit(X, y).predict_proba(X))
    assert set(build_grid(loaded) or {}) <= set(model.get_params())


def test_labels__are_those_of_the_paper() -> None:
    paper = published_benchmark()
    assert set(CLASSICAL.values()) == set(paper.loc[paper["family"] == "ml", "model"])


def test_gradient_boosting__another_class_takes_the_same_specification(mixed_table: Any) -> None:
    loaded = read_spec("gradient_boosting")
    params = {k: v for k, v in loaded.params.items() if k != "early_stopping"}
    changes = {"class_": "sklearn.ensemble.GradientBoostingClassifier", "params": params}
    loaded = loaded.model_copy(update=changes)
    model = build_model(with_params(loaded, {"n_estimators": 2}), random_state=0)
    assert type(model.fit(*mixed_table)[-1]).__name__ == "GradientBoostingClassifier"


def test_gradient_boosting__large_table_with_a_class_of_one_row__is_fitted() -> None:
    # scikit-learn's default stops early from 10001 rows on and cannot stratify a lone row.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10_002, 1)), rng.integers(0, 2, 10_002)
    y[0] = 2
    loaded = with_params(read_spec("gradient_boosting"), TINY["gradient_boosting"])
    model = build_model(loaded, random_state=0).fit(X, y)
    assert model[-1].do_early_stopping_ is False
    assert model.predict_proba(X[:3]).shape == (3, 3)


def test_build_model__pipeline_with_preprocessor_unless_told_otherwise() -> None:
    model = build_model(spec(params={"n_estimators": 7}), random_state=5)
    assert isinstance(model, Pipeline)
    assert isinstance(model["preprocess"], TablePreprocessor)
    assert model["model"].n_estimators == 7
    bare = build_model(spec(preprocess=False), random_state=5)
    assert type(bare).__name__ == "RandomForestClassifier"


def test_random_state__reaches_nested_estimators_and_yields_to_params() -> None:
    given = spec("sklearn.ensemble.BaggingClassifier", params={"estimator": SVC()})
    model = build_model(given, random_state=5)["model"]
    assert (model.random_state, model.estimator.random_state) == (5, 5)
    assert given.params["estimator"].random_state is None
    pinned = build_model(spec(params={"random_state": 9}), random_state=5)
    assert pinned["model"].random_state == 9
    without = build_model(spec("sklearn.neighbors.KNeighborsClassifier"), random_state=5)
    assert "model__random_state" not in without.get_params()


def test_build_grid__names__are_those_of_the_built_model() -> None:
    given = spec(params={"n_estimators": 7, "max_depth": 2}, grid={"n_estimators": [3, 4]})
    assert build_grid(given) == {"model__n_estimators": [3, 4]}
    assert build_grid(spec(grid={"max_depth": [1]}, preprocess=False)) == {"max_depth": [1]}
    assert build_grid(spec()) is None


def test_grid_search__takes_what_the_builders_give(mixed_table: Any) -> None:
    given = spec("sklearn.tree.DecisionTreeClassifier", grid={"max_depth": [1, 3]})
    search = grid_search(
        build_model(given, random_state=0), build_grid(given) or {}, *mixed_table, seed=0
    )
    assert search.best_params_["model__max_depth"] in (1, 3)


@pytest.mark.parametrize("where", ["params", "grid"])
def test_unknown_parameter__error_suggests_the_nearest(where: str) -> None:
    wrong = {"n_estimater": [5] if where == "grid" else 5}
    given = spec(**{where: wrong})
    sentence = r"Unknown parameter 'n_estimater' of model class .*; did you mean 'n_estimators'\?"
    with pytest.raises(ModelSpecError, match=sentence):
        build_model(given, random_state=0)


def test_unknown_parameter__error_lists_the_known_where_none_is_near() -> None:
    with pytest.raises(ModelSpecError, match=r"'qqq' of model class .*; choose one of: .*metric"):
        build_model(
            spec("qcl_mixnet.baselines.classical.KNNClassifier", params={"qqq": 1}), random_state=0
        )


@pytest.mark.parametrize("where", ["params", "grid"])
def test_value_out_of_range__error_before_any_training(where: str) -> None:
    wrong = {"n_estimators": [10, 0] if where == "grid" else 0}
    given = spec(**{where: wrong})
    sentence = r"'n_estimators' parameter .* must be an int in the range \[1, inf\). Got 0"
    with pytest.raises(ModelSpecError, match=sentence):
        build_model(given, random_state=0)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("RandomForest", "not a dotted path; write it like sklearn"),
        ("sklearn.nowhere.Model", r"cannot be imported \(No module named 'sklearn.nowhere'\)"),
        (
            "sklearn.ensemble.RandomForestClasifier",
            r"no class 'RandomForestClasifier'; did you mean 'RandomForestClassifier'\?",
        ),
        ("sklearn.ensemble.RandomForestRegressor", "is not a scikit-learn classifier"),
        ("pathlib.Path", "is not a scikit-learn classifier"),
        ("sklearn.ensemble.VotingClassifier", "cannot be made without arguments"),
    ],
)
def test_class_that_cannot_be_built__error_says_why(path: str, sentence: str) -> None:
    with pytest.raises(ModelSpecError, match=sentence):
        build_model(spec(path), random_state=0)


@pytest.mark.parametrize(
    "changes",
    [{"grids": {}}, {"family": "svm"}, {"grid": {}}, {"grid": {"C": []}}, {"label": ""}],
    ids=str,
)
def test_specification__unknown_keys_and_empty_values_are_refused(changes: Any) -> None:
    with pytest.raises(ValidationError):
        spec(**changes)


@pytest.mark.parametrize(
    ("path", "changes", "named"),
    [
        ("sklearn.linear_model.RidgeClassifier", {}, "sklearn.linear_model.RidgeClassifier"),
        ("sklearn.svm.LinearSVC", {}, "sklearn.svm.LinearSVC"),
        ("sklearn.svm.SVC", {}, "sklearn.svm.SVC"),
        ("sklearn.svm.SVC", {"grid": {"C": [1, 2]}}, "sklearn.svm.SVC with C=1"),
        ("sklearn.linear_model.SGDClassifier", {}, "sklearn.linear_model.SGDClassifier"),
        (
            "sklearn.linear_model.SGDClassifier",
            {"grid": {"loss": ["log_loss", "hinge"], "alpha": [0.1]}},
            "sklearn.linear_model.SGDClassifier with alpha=0.1, loss='hinge'",
        ),
    ],
)
def test_class_without_probabilities__error_names_model_and_remedy(
    path: str, changes: Any, named: str
) -> None:
    with pytest.raises(ModelSpecError) as caught:
        build_model(spec(path, **changes), random_state=0)
    message = str(caught.value)
    assert message.startswith(f"Model 'M' ({named}) gives no probabilities (predict_proba)")
    assert message.endswith(
        f"CalibratedClassifierCV with params: {{estimator: {{class: {path}}}}}."
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("sklearn.svm.SVC", {"params": {"probability": True}}),
        ("sklearn.linear_model.SGDClassifier", {"params": {"loss": "log_loss"}}),
        # The default has none, all that the grid tries have.
        ("sklearn.linear_model.SGDClassifier", {"grid": {"loss": ["log_loss", "modified_huber"]}}),
        ("sklearn.calibration.CalibratedClassifierCV", {}),
        (f"{__name__}.Stacking", {}),  # has them once it is fitted
    ],
)
def test_class_with_probabilities__is_built(path: str, changes: Any) -> None:
    build_model(spec(path, **changes), random_state=0)


TREES = [("tree", DecisionTreeClassifier())]


class Stacking(StackingClassifier):
    """A stacking that can be made without arguments."""

    def __init__(self, estimators: Any = TREES) -> None:
        super().__init__(estimators)


class Meddling(DecisionTreeClassifier):
    """A class whose constructor changes its parameters."""

    def __init__(self, depths: Any = ()) -> None:
        super().__init__()
        self.depths = [*depths]


def test_class_that_cannot_be_cloned__error_says_why() -> None:
    with pytest.raises(
        ModelSpecError, match=r"Meddling cannot be cloned .*; store every parameter"
    ):
        build_model(spec(f"{__name__}.Meddling"), random_state=0)


def test_estimator_among_the_parameters__is_made_of_its_class(mixed_table: Any) -> None:
    given = spec(
        "sklearn.calibration.CalibratedClassifierCV",
        params={
            "estimator": {"class": "sklearn.linear_model.RidgeClassifier", "params": {"alpha": 3}},
            "cv": 2,
        },
        grid={"method": ["sigmoid"], "estimator__alpha": [1.0, 2.0]},
    )
    model = build_model(given, random_state=7)[-1]
    assert model.get_params()["estimator__alpha"] == 3
    assert model.get_params()["estimator__random_state"] == 7
    assert class_paths(given) == [given.class_, "sklearn.linear_model.RidgeClassifier"]
    assert given.params["estimator"]["params"] == {"alpha": 3}
    X, y = mixed_table
    fitted = build_model(given, random_state=7).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


def test_estimator_among_the_parameters__its_own_seed_wins() -> None:
    inner = {"class": "sklearn.linear_model.RidgeClassifier", "params": {"random_state": 3}}
    given = spec("sklearn.calibration.CalibratedClassifierCV", params={"estimator": inner})
    model = build_model(given, random_state=7)[-1]
    assert model.estimator.random_state == 3


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        ({"class": "sklearn.linear_model.Ridge_"}, "no class 'Ridge_'"),
        (
            {"class": "sklearn.linear_model.RidgeClassifier", "params": {"alfa": 1}},
            "Unknown parameter 'alfa' of model class sklearn.linear_model.RidgeClassifier",
        ),
        (
            {"class": "sklearn.linear_model.RidgeClassifier", "alpha": 1},
            r"Parameter 'estimator' of model class .*CalibratedClassifierCV holds an estimator, ",
        ),
        ({"class": "sklearn.linear_model.RidgeClassifier", "params": 3}, "params, a mapping"),
    ],
)
def test_estimator_among_the_parameters__mistakes_are_named(inner: Any, sentence: str) -> None:
    given = spec("sklearn.calibration.CalibratedClassifierCV", params={"estimator": inner})
    with pytest.raises(ModelSpecError, match=sentence):
        build_model(given, random_state=0)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = unknown_name\n", r"NameError: name 'unknown_name' is not .*own_broken.py, line 1\)"),
        ("x = (\n", r"SyntaxError: .*own_broken.py, line 1\)"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
    ],
    ids=["name", "syntax", "import"],
)
def test_module_of_ones_own_that_cannot_be_imported__sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, sentence: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_broken.py").write_text(code, encoding="utf-8")
    with pytest.raises(ModelSpecError, match=f"own_broken.Model cannot be imported.*{sentence}"):
        build_model(spec("own_broken.Model"), random_state=0)


def test_module_that_is_nowhere__error_says_where_to_put_it() -> None:
    with pytest.raises(ModelSpecError, match=r"put a module of your own into src/ of the project"):
        build_model(spec("no_such_module_anywhere.Model"), random_state=0)


def test_build_model__does_not_change_the_specification() -> None:
    given = spec(params={"max_depth": 2}, grid={"max_depth": [1, 2]})
    before = given.model_copy(deep=True)
    build_model(given, random_state=0)
    grid = build_grid(given)
    assert grid is not None
    grid["model__max_depth"].append(9)
    assert given == before
