import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.page.sentences import summary_sentences
from qcl_mixnet.reporting.tables import leaderboard
from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models

FAMILIES = {"net": "proposed", "tree": "ml", "deep": "dl"}


@pytest.fixture
def sentences(make_metrics):
    def write(scores, **options):
        metrics = make_metrics(pd.DataFrame(scores), FAMILIES, **options)
        statistics = compare_models(metrics, ComparisonOptions(control="net"))
        return summary_sentences(leaderboard(metrics), metrics, statistics)

    return write


def scores(n, net, tree):
    index = [f"d{i}" for i in range(n)]
    steps = np.arange(n) / 1000
    return pd.DataFrame({"net": net + steps, "tree": tree - steps}, index=index)


def test_summary__too_few_data_sets__no_finding_is_claimed(sentences):
    # With 3 data sets and one comparison the smallest p is 2 / 2**3.
    found = sentences(scores(3, 0.6, 0.7), repeats=1)
    assert found == [
        "On 3 data sets and 1 split of each, TREE has the best mean rank by macro F1 (1.00, of 2 "
        "models).",
        "NET, the control, is at place 2 with a mean rank of 2.00.",
        "3 data sets are too few to tell NET and TREE, the first, apart (Wilcoxon-Holm, p = 0.25, "
        "level 0.05; with 2 models p cannot be below 0.25).",
        "Every score is of a single split; another split gives other scores.",
    ]


def test_summary__control_leads_in_all__significant(sentences):
    # 2 / 2**8
    found = sentences(scores(8, 0.8, 0.7), repeats=2)
    assert found == [
        "On 8 data sets and 2 splits of each, NET has the best mean rank by macro F1 (1.00, of 2 "
        "models).",
        "The difference between NET and TREE, the next in the list, is significant (Wilcoxon-Holm, "
        "p = 0.0078, level 0.05).",
    ]


def test_summary__wins_and_losses__not_significant_and_not_equal(sentences):
    table = scores(8, 0.7, 0.7)
    table.loc[table.index[:4], "tree"] += 0.1
    found = sentences(table)
    assert any("is not significant (Wilcoxon-Holm, p = " in text for text in found)
    assert any("does not show that they are equal" in text for text in found)


def test_summary__shared_first_place__names_both(sentences):
    found = sentences({"net": {"a": 0.5, "b": 0.6}, "tree": {"a": 0.5, "b": 0.6}})
    assert "NET and TREE share the best mean rank by macro F1 (1.50, of 2 models)." in found[0]
    assert "the next in the list" in found[1]


def test_summary__one_data_set__the_reason_stands_for_the_test(sentences):
    found = sentences({"net": {"a": 0.5}, "tree": {"a": 0.6}})
    assert found[0].startswith("On 1 data set and 2 splits of each, TREE has the best mean rank")
    assert "1 data set" in found[1]
    assert not [text for text in found if "significant" in text]


def test_summary__test_selected__is_starred_and_said(sentences):
    found = sentences(scores(3, 0.8, 0.7), test_selected=["net"])
    assert "NET* has the best mean rank" in found[0]
    assert found[-1] == (
        "1 model with a star (*) has epochs chosen by scores on the test part: their scores are "
        "better than on rows that nobody has seen."
    )


def test_summary__missing_cells__are_counted_and_named(sentences):
    table = pd.DataFrame(
        {"net": [0.5] * 8, "tree": [0.4] * 8, "deep": [np.nan] * 7 + [0.3]},
        index=[f"d{i}" for i in range(8)],
    )
    found = sentences(table, not_run=[("d0", "deep")])
    assert "6 cells failed: d1.deep, d2.deep, d3.deep, d4.deep, d5.deep and 1 more." in found
    assert "1 cell was not run: d0.deep." in found


def test_summary__control_failed_everywhere__cannot_be_compared(sentences):
    table = scores(6, 0.5, 0.6).assign(net=np.nan)
    found = sentences(table)
    assert (
        "NET and TREE, the first, cannot be compared: one of them failed on all data sets." in found
    )


def test_summary__nothing_has_a_score__says_so(sentences):
    found = sentences(scores(2, 0.5, 0.6) * np.nan)
    assert found[0] == "No model has a score: every cell failed or was not run."
    assert "d0 and d1" not in found[0]
    assert found[-1] == "d0, d1 do not count, because every model failed there."
