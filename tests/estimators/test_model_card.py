import json
import re
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.pipeline import make_pipeline
from tests.estimators.ensembles import make_model

from qcl_mixnet import (
    TunedDecisionClassifier,
    feature_importance,
    load_fitted,
    model_card,
    save_fitted,
)
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

HOSTILE = "</script><script>alert('x')</script>"
LABELS = np.array(["fine", "<b>check</b>", HOSTILE])


@cache
def make_table(n=240):
    X, codes = make_classification(
        n, 4, n_informative=3, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=[0.7, 0.2], random_state=0,
    )  # fmt: skip
    table = pd.DataFrame(X, columns=["a", HOSTILE, "<img src=x>", "d"])
    return table, LABELS[codes]


@cache
def tuned():
    X, y = make_table()
    return TunedDecisionClassifier(LogisticRegression(), cv=3, random_state=0).fit(X[::2], y[::2])


@pytest.fixture
def card(tmp_path):
    X, y = make_table()
    path = tuned().report(X[1::2], y[1::2], tmp_path / "card.html")
    return path.read_text(encoding="utf-8")


class Tables(HTMLParser):
    """Texts of the cells of all tables, by their identifiers; and names of all elements."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.names, self.rows, self.inside = {}, [], None, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        if tag == "table":
            self.rows = self.tables.setdefault(dict(attrs).get("id"), [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self.inside = True
        elif tag == "span" and self.inside:
            self.rows[-1][-1] += "|"

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in {"td", "th"}

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def table_of(text, name):
    head, *rows = Tables(text).tables[name]
    return [dict(zip(head, (cell.split("|")[0] for cell in row), strict=True)) for row in rows]


def test_report__scores_of_classes__are_scikit_learns_to_the_printed_digit(card):
    X, y = make_table()
    truth, predicted, p = y[1::2], tuned().predict(X[1::2]), tuned().predict_proba(X[1::2])
    rows = table_of(card, "class-scores")
    assert [row["Class"] for row in rows] == tuned().classes_.tolist()
    for code, (label, row) in enumerate(zip(tuned().classes_, rows, strict=True)):
        one, said = truth == label, predicted == label
        expected = {
            "Precision": precision_score(one, said), "Recall": recall_score(one, said),
            "F1": f1_score(one, said), "ROC AUC": roc_auc_score(one, p[:, code]),
            "Average precision": average_precision_score(one, p[:, code]),
            "Brier score": brier_score_loss(one, p[:, code]),
        }  # fmt: skip
        for name, score in expected.items():
            assert row[name] == f"{score:.3f}", (label, name)
        assert (int(row["Rows"]), int(row["Predicted"])) == (one.sum(), said.sum())


def test_report__macro_f1__is_the_same_in_sentence_tile_and_table(card):
    X, y = make_table()
    expected = f"{f1_score(y[1::2], tuned().predict(X[1::2]), average='macro'):.3f}"
    assert f"its macro F1 is {expected}." in card
    assert f"<dt>Macro F1</dt><dd>{expected}</dd>" in card
    (row,) = [r for r in table_of(card, "overall-scores") if r["Score"] == "Macro F1"]
    assert row["Value"] == expected


def test_report__confusion__is_scikit_learns(card):
    X, y = make_table()
    expected = confusion_matrix(y[1::2], tuned().predict(X[1::2]), labels=tuned().classes_)
    rows = Tables(card).tables["confusion-table"][1:]
    assert [[int(n) for n in row[1:]] for row in rows] == expected.tolist()


def test_report__coverage__is_that_of_coverage_report(card):
    X, y = make_table()
    expected = tuned().coverage_report(X[1::2], y[1::2])
    rows = table_of(card, "coverage-table")
    assert [row["Held"] for row in rows] == [f"{v:.3f}" for v in expected["coverage"]]
    assert [row["Mean size"] for row in rows] == [f"{v:.3f}" for v in expected["mean_size"]]


def test_report__explorer__starts_with_the_alerts_of_the_decision(card):
    X, y = make_table()
    data = json.loads(re.search(r'id="card-data">(.*?)</script>', card, re.S)[1])
    predicted = tuned().predict(X[1::2])
    counts = sorted((y[1::2] == label).sum() for label in LABELS)
    assert [c["rows"] for c in data["classes"]] == counts
    rarest = min(LABELS, key=lambda label: (y[1::2] == label).sum())
    c, decided = data["classes"][0], (predicted == rarest).sum()
    chosen = [*c["alerts"], 0][c["start"]]
    assert abs(chosen - decided) == min(abs(n - decided) for n in [*c["alerts"], 0])


def test_report__hostile_names__are_text(card):
    names = Tables(card).names
    assert names.count("script") == 2
    assert not {"b", "img", "iframe"} & set(names)
    assert "<script>alert" not in card
    assert HOSTILE in [row["Column"] for row in table_of(card, "columns")]
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', card) == []


def test_report__same_rows_again__same_page(card, tmp_path):
    X, y = make_table()
    again = tuned().report(X[1::2], y[1::2], str(tmp_path / "again.html"))
    assert again.read_text(encoding="utf-8") == card
    assert len(card) < 200_000


@pytest.mark.slow
def test_report__of_networks__has_their_training(tmp_path):
    X, y = make_table()
    model = make_model(epochs=3, random_state=0).fit(X[::2].to_numpy(), y[::2])
    text = model.report(X[1::2].to_numpy(), y[1::2], tmp_path / "card.html").read_text("utf-8")
    assert "Ends of the lines" in text
    assert "the model has none" in text  # no out-of-fold rows, hence no prediction sets


def test_model_card__history__has_the_means_of_the_members(tmp_path):
    X, y = make_table()
    model = LogisticRegression().fit(X[::2], y[::2])
    model.history_ = pd.DataFrame(
        {"member": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "loss": [4.0, 2.0, 2.0, 1.0]}
    )
    text = model_card(model, X[1::2], y[1::2], tmp_path / "card.html").read_text("utf-8")
    (row,) = table_of(text, "training-table")
    assert row == {"Line": "loss", "First": "3", "Least": "1.5", "Greatest": "3", "Last": "1.5"}
    assert "networks of the model, 2 in number" in text


def test_model_card__any_classifier__says_what_it_lacks(tmp_path):
    X, y = make_table()
    model = RandomForestClassifier(5, random_state=0).fit(X[::2], y[::2])
    text = model_card(model, X[1::2], y[1::2], tmp_path / "card.html").read_text("utf-8")
    assert "The model keeps no record of its epochs." in text
    assert "The model makes no prediction sets" in text
    assert "importance=True" in text


def test_report__kept_model__gives_the_same_scores(tmp_path):
    X, y = make_table()
    model = TunedDecisionClassifier(
        make_pipeline(TablePreprocessor(), LogisticRegression()), cv=3, random_state=0
    ).fit(X[::2], y[::2])
    save_fitted(model, tmp_path / "model")
    kept = load_fitted(tmp_path / "model")
    own, others = (
        one.report(X[1::2], y[1::2], tmp_path / "card.html", importance=asked).read_text("utf-8")
        for one, asked in ((model, False), (kept, True))
    )
    for name in ("class-scores", "overall-scores", "confusion-table", "coverage-table"):
        assert Tables(own).tables[name] == Tables(others).tables[name]
    assert {row["Column"] for row in table_of(others, "importance-table")} == {*X.columns}


@pytest.mark.parametrize("given", [True, False])
def test_model_card__importance__is_that_of_feature_importance(given, tmp_path):
    X, y = make_table()
    found = feature_importance(tuned(), X[1::2], y[1::2], random_state=3)
    asked = found if given else True
    path = tmp_path / "card.html"
    tuned().report(X[1::2], y[1::2], path, importance=asked, random_state=3)
    text = path.read_text("utf-8")
    rows = table_of(text, "importance-table")
    assert [row["Column"] for row in rows] == found.index.tolist()
    assert [row["Mean"] for row in rows] == [f"{v:.3f}" for v in found["importance"]]


def test_model_card__many_classes_and_rows__stays_small(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(2000) % 40
    X = rng.normal(size=(2000, 2))

    class Guess(LogisticRegression):
        def predict_proba(self, X):
            return rng.dirichlet(np.ones(40), size=len(X))

        def predict(self, X):
            return self.predict_proba(X).argmax(axis=1)

    model = Guess()
    model.classes_, model.coef_ = np.arange(40), 0
    path = model_card(model, X, y, tmp_path / "card.html")
    assert path.stat().st_size < 2_000_000
    text = path.read_text("utf-8")
    assert "Left out: 20 of 40 classes" in text
    assert len(Tables(text).tables["confusion-table"]) == 21


def refused(model, X, y, path, error, match, **options):
    with pytest.raises(error, match=match):
        model_card(model, X, y, path, **options)
    assert not path.exists()


def test_model_card__bad_input__is_refused_in_a_sentence(tmp_path):
    X, y = make_table()
    path = tmp_path / "card.html"
    refused(tuned(), X, np.where(y == "fine", "new", y), path, ValueError, "none of the classes")
    refused(tuned(), X.iloc[:0], y[:0], path, ValueError, "X_test has no rows")
    refused(tuned(), X, y[:5], path, ValueError, "inconsistent numbers of samples")
    refused(tuned(), X, y, tmp_path / "no" / "card.html", ValueError, "does not exist; create it")
    refused(tuned(), X, y, path, ValueError, "coverage=1", coverage=1)
    refused(LogisticRegression(), X, y, path, NotFittedError, "not fitted")
    refused(LogisticRegression, X, y, path, TypeError, "is a class")
    refused(RidgeClassifier().fit(X, y), X, y, path, TypeError, "predict_proba")
    lacking = pd.DataFrame({"importance": [1.0]})
    refused(tuned(), X, y, path, ValueError, "'high', 'low'", importance=lacking)
    with pytest.raises(ValueError, match="is a folder"):
        model_card(tuned(), X, y, tmp_path)
