"""Files of boosted trees as nobody's library wrote them."""

import json

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.baselines.boosting import LightGBMClassifier
from qcl_mixnet.baselines.classical import XGBoostClassifier
from qcl_mixnet.keeping.boosted_trees import check_lightgbm, checked_xgboost

ROWS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.arange(60) % 3


@pytest.fixture(scope="module")
def xgboost():
    model = XGBoostClassifier(n_estimators=2, max_depth=2, random_state=0).fit(ROWS, LABELS)
    return model.model_.get_booster().save_raw("json").decode()


@pytest.fixture(scope="module")
def lightgbm():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=900), "c": np.array(list("pqr") * 300)})
    labels = np.where(table["c"] == "p", 1, np.where(table["a"] > 0, 0, 2))
    model = LightGBMClassifier(n_estimators=2, num_leaves=6, random_state=0)
    return model.fit(table, labels).model_.booster_.model_to_string()


def test_checked_xgboost__its_own_json__is_what_it_was(xgboost):
    assert json.loads(checked_xgboost(xgboost.encode())) == json.loads(xgboost)


def tree(content, name, value, at=0):
    content["learner"]["gradient_booster"]["model"]["trees"][1][name][at] = value


def booster(content, name, value):
    content["learner"]["gradient_booster"]["model"][name] = value


def shape(content, name, value):
    content["learner"]["learner_model_param"][name] = value


def shorter(content):
    del content["learner"]["gradient_booster"]["model"]["trees"][0]["base_weights"][-1]


def other_kind(content):
    content["learner"]["gradient_booster"]["name"] = "dart"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: tree(c, "left_children", 10**6), "leads out of the tree or back"),
        (lambda c: tree(c, "right_children", 0), "leads out of the tree or back"),
        (lambda c: tree(c, "left_children", -5), "leads out of the tree or back"),
        (lambda c: tree(c, "left_children", -1), "a node with one child"),
        (lambda c: tree(c, "left_children", 1.0), "holds something else"),
        (lambda c: tree(c, "split_indices", 3), "reads a column beyond the 3"),
        (lambda c: tree(c, "split_type", 1), "no tree of 3 numeric columns"),
        (lambda c: shape(c, "num_feature", "2"), "no tree of 2 numeric columns"),
        (shorter, "no tree of 3 numeric columns"),
        (lambda c: booster(c, "tree_info", [0, 1, 2, 0, 1, 9]), "does not fit together"),
        (lambda c: booster(c, "iteration_indptr", [0, 3, 99]), "does not fit together"),
        (lambda c: booster(c, "cats", {"enc": [1]}), "does not fit together"),
        (lambda c: booster(c, "trees", []), "does not fit together"),
        (other_kind, "the booster is 'dart'"),
    ],
)
def test_checked_xgboost__forged__is_refused(xgboost, change, message):
    content = json.loads(xgboost)
    change(content)
    with pytest.raises(ValueError, match=message):
        checked_xgboost(json.dumps(content).encode())


def test_checked_xgboost__key_that_stands_twice__is_refused(xgboost):
    twice = xgboost.replace('"learner":', '"learner":{},"learner":', 1)
    with pytest.raises(ValueError, match="twice"):
        checked_xgboost(twice.encode())


def test_check_lightgbm__its_own_text__is_taken(lightgbm):
    assert "num_cat=1" in lightgbm.partition("Tree=1")[0]  # there is a set of categories
    check_lightgbm(lightgbm)


def line(text, name, change, number=0):
    """Change a line, and keep the sizes of the trees true."""
    lines = text.split("\n")
    at = [i for i, one in enumerate(lines) if one.startswith(f"{name}=")][number]
    before = lines[at]
    lines[at] = f"{name}={change(before.partition('=')[2])}"
    grown = len(lines[at]) - len(before)
    sizes = next(i for i, one in enumerate(lines) if one.startswith("tree_sizes="))
    if at > sizes:
        first, *others = lines[sizes].removeprefix("tree_sizes=").split()
        lines[sizes] = " ".join([f"tree_sizes={int(first) + grown}", *others])
    return "\n".join(lines)


def first(value):
    return lambda text: " ".join([str(value), *text.split()[1:]])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("left_child", first(10**6), "leads out of the tree or back"),
        ("left_child", first(0), "leads out of the tree or back"),
        ("right_child", first(-(10**6)), "a leaf that it does not have"),
        ("split_feature", first(2), "reads a column beyond the 2"),
        ("threshold", lambda text: " ".join(["9"] * len(text.split())), "a set of categories"),
        ("cat_boundaries", lambda _: "0 99", "do not fit together"),
        ("cat_threshold", lambda text: text + " 1", "do not fit together"),
        ("leaf_value", lambda text: text + " 1", "another number of leaves"),
        ("left_child", lambda text: text + " 1", "another number of nodes"),
        ("is_linear", lambda _: "1", "constant leaves"),
        ("num_leaves", lambda _: "0", "constant leaves"),
        ("tree_sizes", lambda text: text.replace(" ", " 9", 1), "where the header says"),
        ("feature_names", lambda _: "x0", "does not name its columns"),
        ("num_tree_per_iteration", lambda _: "99", "more trees a round"),
    ],
)
def test_check_lightgbm__forged__is_refused(lightgbm, name, change, message):
    with pytest.raises(ValueError, match=message):
        check_lightgbm(line(lightgbm, name, change))


def test_check_lightgbm__line_that_stands_twice__is_refused(lightgbm):
    twice = line(lightgbm, "is_linear", lambda text: text + "\nis_linear=1")
    with pytest.raises(ValueError, match="stands twice"):
        check_lightgbm(twice)
