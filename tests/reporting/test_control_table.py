import pandas as pd
import pytest

from qcl_mixnet.reporting.control_table import control_table, p_text

ROW = {
    "metric": "macro_f1", "control": "net", "control_test_selected": False, "model": "tree",
    "label": "TREE", "family": "ml", "test_selected": False, "wins": 4, "ties": 1, "losses": 1,
    "median_difference": 0.01234, "effect_size": -0.5, "p_holm": 0.03125,
    "prob_control_better": 0.961, "prob_equivalent": 0.03, "prob_model_better": 0.009,
}  # fmt: skip


def test_control_table__headline_metric_alone__as_printed():
    comparison = pd.DataFrame([ROW, {**ROW, "metric": "accuracy", "wins": 0}])
    table = control_table(comparison, rope=0.01)
    assert table.body.to_numpy().tolist() == [
        ["TREE", "ml", "4/1/1", "+0.012", "-0.500", "0.031", "0.96", "0.03", "0.01"]
    ]
    assert len(table.frame) == 1
    assert "equal being within 0.01" in table.notes[0]
    assert len(table.notes) == 1


def test_control_table__no_p_value__says_so():
    failed = {**ROW, "p_holm": None, "median_difference": None, "effect_size": float("nan")}
    body = control_table(pd.DataFrame([failed]), rope=0.01).body
    assert body.iloc[0, 3:6].tolist() == ["n/a", "n/a", "n/a"]


@pytest.mark.parametrize("selected", ["test_selected", "control_test_selected"])
def test_control_table__test_selected__is_explained(selected):
    table = control_table(pd.DataFrame([{**ROW, selected: True}]), rope=0.01)
    assert "epochs chosen by scores on the test part" in table.notes[-1]
    assert table.body["Model"].iloc[0] == ("TREE*" if selected == "test_selected" else "TREE")


def test_control_table__nothing_compared__one_sentence():
    table = control_table(pd.DataFrame(columns=list(ROW)), rope=0.01)
    assert table.body.empty
    assert table.notes == (
        "No comparison: it needs the control and another model on two data sets.",
    )


def test_p_text__two_digits():
    assert [p_text(p) for p in (0.04321, 1.0, 1e-9, None)] == ["0.043", "1", "1e-09", "n/a"]
