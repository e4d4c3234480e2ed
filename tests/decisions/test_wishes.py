import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from qcl_mixnet import (
    AlertsAtMost,
    Costs,
    PrecisionAtLeast,
    QCLMixNetClassifier,
    RecallAtLeast,
)
from qcl_mixnet.decisions.spelling import read_decision
from qcl_mixnet.decisions.wishes import code_of

LABELS = ["fraud", "ok", "odd"]
MATRIX = [[5.0, 500, 200], [5, 0, 1], [7, 3, 0]]
PAIRS = {
    "fraud": {"fraud": 5, "ok": 500, "odd": 200},
    "ok": {"fraud": 5, "odd": 1},
    "odd": {"fraud": 7, "ok": 3},
}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecallAtLeast("a", 1.5), "recall=1.5.*less than 1"),
        (lambda: RecallAtLeast("a", 0), "recall=0"),
        (lambda: RecallAtLeast("a", True), "recall=True"),
        (lambda: RecallAtLeast("a", 0.9, confidence=1), "confidence=1"),
        (lambda: PrecisionAtLeast("a", "much"), "precision='much'"),
        (lambda: PrecisionAtLeast("a", np.nan), "precision=nan"),
        (lambda: AlertsAtMost("a", 0), "count=0"),
        (lambda: AlertsAtMost("a", 20, per=10), "count=20 and per=10"),
    ],
)
def test_constraints__numbers_out_of_range__are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "costs",
    [MATRIX, np.array(MATRIX), PAIRS, pd.DataFrame(MATRIX, index=LABELS, columns=LABELS)],
    ids=["list", "array", "pairs", "frame"],
)
def test_costs__all_forms__are_one_matrix(costs):
    assert Costs(costs).matrix(LABELS).tolist() == MATRIX
    assert Costs(costs).by_class(LABELS) is None


@pytest.mark.parametrize("costs", [{"ok": 5, "odd": 1, "fraud": 500}, [500, 5, 1]])
def test_costs__by_class__whatever_is_predicted_instead(costs):
    assert Costs(costs).matrix(LABELS).tolist() == [[0, 500, 500], [5, 0, 5], [1, 1, 0]]
    assert Costs(costs).by_class(LABELS).tolist() == [500, 5, 1]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"fraud": 5, "ok": 1}, "lack class 'odd'"),
        ({"frod": 5, "ok": 1, "odd": 1}, "'frod', which is none of the classes"),
        ({"fraud": {"okay": 5}}, "'okay', which is none"),
        ({"fraud": {"ok": 5}, "ok": 1}, "hold 1 for 'ok' beside"),
        ({"fraud": {"ok": "dear"}}, "predicting 'ok' for 'fraud' is 'dear'"),
        ({"fraud": 0, "ok": 1, "odd": 1}, "class 'fraud' costs is 0"),
        ([1, 2], r"shape \(2,\) and there are 3 classes"),
        ([[1, 2], [3, 4]], r"shape \(2, 2\)"),
        ([1, 2, np.inf], "must be a finite number"),
        (np.ones((3, 3)), "no difference"),
    ],
)
def test_costs__unusable__are_refused(costs, message):
    with pytest.raises(ValueError, match=message):
        Costs(costs).matrix(LABELS)


@pytest.mark.parametrize("wish", [RecallAtLeast("a", 0.9), Costs(MATRIX), Costs(PAIRS)])
def test_wishes__in_an_estimator__are_cloned(wish):
    model = clone(QCLMixNetClassifier(decision=wish))
    assert model.decision == wish


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("argmax", "argmax"),
        ("recall:fraud=0.9", RecallAtLeast("fraud", 0.9)),
        ("recall:a=b=c=0.9+confidence=0.95", RecallAtLeast("a=b=c", 0.9, 0.95)),
        ("precision:1=.5", PrecisionAtLeast("1", 0.5)),
        ("alerts:fraud=20/500", AlertsAtMost("fraud", 20, per=500)),
        ("alerts:fraud=20", AlertsAtMost("fraud", 20)),
        ("costs:fraud=500+ok=5", Costs({"fraud": 500, "ok": 5})),
        ("costs:fraud/ok=500+ok/fraud=5", Costs({"fraud": {"ok": 500}, "ok": {"fraud": 5}})),
        ("weights:a=2+b=1", {"a": 2.0, "b": 1.0}),
    ],
)
def test_read_decision__each_form(text, wish):
    assert read_decision(text) == wish


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f2", "none of 'argmax'"),
        ("recal:fraud=0.9", "none of the forms"),
        ("recall:fraud", "is not LABEL=VALUE"),
        ("recall:fraud=much", "'much' where a number belongs"),
        ("recall:fraud=0.9+confidence=x", "'x' where a number belongs"),
        ("recall:fraud=90", "recall=90"),
        ("costs:fraud=5+ok", "'ok', which is not LABEL=VALUE"),
    ],
)
def test_read_decision__anything_else__is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_decision(text)


def test_code_of__label_or_its_text__is_found():
    assert code_of(1, np.array([0, 1])) == 1
    assert code_of("1", np.array([0, 1])) == 1
    with pytest.raises(ValueError, match="names 2, which is none"):
        code_of(2, np.array([0, 1]))
