import pytest

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.published import (
    published_ablation,
    published_benchmark,
    published_ranks,
)

SCORES = ["accuracy", "macro_precision", "macro_recall", "macro_f1"]


def test_benchmark__every_model_on_every_data_set_once():
    benchmark = published_benchmark()
    assert list(benchmark) == ["table", "dataset", "task", "family", "model", *SCORES]
    assert len(benchmark) == 18 * 21
    assert not benchmark.duplicated(["dataset", "model"]).any()
    assert benchmark.groupby("table")["dataset"].nunique().to_dict() == {2: 7, 3: 11}
    assert benchmark.groupby("family")["model"].nunique().to_dict() == {
        "proposed": 1, "ml": 8, "dl": 7, "gnn": 5,
    }  # fmt: skip


def test_ablation__full_model_and_three_variants_on_every_data_set():
    ablation = published_ablation()
    assert list(ablation) == ["table", "dataset", "task", "variant", *SCORES]
    assert len(ablation) == 18 * 4
    assert not ablation.duplicated(["dataset", "variant"]).any()
    assert set(ablation["dataset"]) == set(published_benchmark()["dataset"])


@pytest.mark.parametrize("load", [published_benchmark, published_ablation])
def test_scores__are_shares_with_two_decimals(load):
    scores = load()[SCORES]
    assert set(SCORES) <= set(METRICS)
    assert scores.notna().all(axis=None)
    assert scores.ge(0).all(axis=None)
    assert scores.le(1).all(axis=None)
    assert scores.equals(scores.round(2))


def test_ranks__of_the_same_models():
    ranks = published_ranks().set_index("metric")
    assert list(ranks.index) == ["Accuracy", "maR", "maP", "maF1", "Average Rank"]
    assert set(ranks.columns) - {"friedman_chi2"} == set(published_benchmark()["model"])
    assert ranks["friedman_chi2"].tolist() == [99.42, 156.58, 174.84, 174.91, 29.68]
    assert ranks.loc["maF1", "QCL-MixNet"] == 3.2


def test_tables__are_the_callers_own():
    ranks = published_ranks()
    ranks.loc[0, "XGBoost"] = 0
    assert published_ranks().loc[0, "XGBoost"] == 9.9
