"""The name of a run: what tells it from others at a glance."""

import pytest

from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.kedro_mlflow_hooks import run_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cell(name):
    dataset, model = name.split(".")
    return CellDataset(path=name, dataset=dataset, model=model)


def name(*, pipelines=("full",), environment="base", commit="unknown", of=()):
    origin = {"environment": environment, "git_commit": commit}
    return run_name(pipelines, origin, [cell(one) for one in of])


def test_run_name__all_parts__in_their_order():
    of = [f"{dataset}.{model}" for dataset in ("glass", "iris", "yeast") for model in ("a", "b")]
    found = name(pipelines=["full", "publish"], environment="paper", commit=COMMIT, of=of)
    assert found == "full+publish · paper · 3x2 · 0123456"


@pytest.mark.parametrize(
    ("of", "part"),
    [
        ([], []),
        (["glass.knn"], ["glass.knn"]),
        (["glass.knn", "glass.tree"], ["1x2"]),
        (["glass.knn", "yeast.knn"], ["2x1"]),
        # A run of what is left of a grid: its cells need not be all of two by two.
        (["glass.knn", "glass.tree", "yeast.knn"], ["2x2"]),
    ],
)
def test_run_name__cells__the_only_one_or_how_many_data_sets_by_models(of, part):
    assert name(of=of).split(" · ") == ["full", "base", *part]


@pytest.mark.parametrize(
    ("commit", "part"),
    [
        (COMMIT, ["0123456"]),
        (f"{COMMIT}-dirty", ["0123456+"]),
        ("abc", ["abc"]),
        ("abc-dirty", ["abc+"]),
        ("unknown", []),
    ],
)
def test_run_name__commit__seven_digits_and_a_sign_for_changes(commit, part):
    assert name(commit=commit).split(" · ") == ["full", "base", *part]
