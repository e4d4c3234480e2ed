"""`qcl-mixnet decide`: another decision for the model of a trial."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.datasets import make_classification

from qcl_mixnet.command.group import cli
from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.trial.folder import SavedTrial


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module", params=["logistic_regression_tuned", "random_forest"])
def tried(request, tmp_path_factory):
    """Trials whose models kept out-of-fold rows of their own, and kept none."""
    place = tmp_path_factory.mktemp("tried")
    X, y = make_classification(300, 4, n_redundant=0, weights=[0.75], random_state=0)
    table = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(y == 1, "fraud", "ok"))
    table.to_csv(place / "table.csv", index=False)
    model = ["--model", request.param, "--folds", "3", "--repeats", "2"]
    done = run("try", place / "table.csv", "-t", "kind", "-o", place / "trial", *model)
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def trial(tried, tmp_path):
    return shutil.copytree(tried / "trial", tmp_path / "trial")


def test_decide__recall__tells_the_change_and_predict_follows(trial, tried, tmp_path):
    done = run("decide", trial, "--recall", "fraud=0.9")
    assert done.exit_code == 0, done.output
    assert "The model decides now: 'fraud' from a probability of " in done.output
    assert "Careful" not in done.output
    heads, fraud, *_ = done.output.splitlines()
    assert heads.split() == ["class", "precision", "recall", "F1", "per", "1,000"]
    cells = fraud.split()
    assert cells[0] == "fraud"
    assert float(cells[6]) >= 0.9  # recall after
    table = pd.read_csv(tried / "table.csv").drop(columns="kind")
    model = SavedTrial.read(trial).load_model("cpu")
    after = model.predict(table)
    alerts = model.predict_proba(table)[:, 0] >= model.decision_rule_.threshold
    assert ((after == "fraud") == alerts).all()
    table.to_csv(tmp_path / "new.csv", index=False)
    run("predict", trial, tmp_path / "new.csv", "-o", tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv")["label"].tolist() == after.tolist()


def test_decide__out_of_fold_rows__each_counts_once(trial):
    run("decide", trial, "--decision", "argmax")
    rows = load_fitted(trial / "model").out_of_fold
    assert len(rows.labels) == 300  # the trial's two repeats predicted each of them twice
    assert rows.probabilities.shape == (300, 2)


def test_decide__dry_run_and_json__change_nothing(trial):
    files = {path: path.read_bytes() for path in (trial / "model").iterdir()}
    done = run("decide", trial, "--cost", "fraud=500", "--cost", "ok=5", "--dry-run", "--json")
    record = json.loads(done.output)
    assert record["decision"] == "costs:fraud=500+ok=5"
    assert set(record["change"]) == {"fraud", "ok"}
    assert record["change"]["fraud"]["recall_after"] >= record["change"]["fraud"]["recall_before"]
    assert {path: path.read_bytes() for path in (trial / "model").iterdir()} == files


def test_decide__too_few_rows__says_careful(trial):
    done = run("decide", trial, "--recall", "fraud=0.99", "--confidence", "0.95")
    assert done.exit_code == 0
    assert "Careful: " in done.output
    assert "cannot promise a recall of 0.99 with confidence 0.95" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give one of --recall"),
        (["--recall", "fraud=0.9", "--alerts", "fraud=5/100"], "Give one of --recall"),
        (["--recall", "frod=0.9"], "'frod', which is none of the classes"),
        (["--recall", "fraud=1.5"], "recall=1.5"),
        (["--precision", "fraud"], "is not LABEL=VALUE"),
        (["--alerts", "fraud=20/10"], "count=20.0 and per=10.0"),
        (["--cost", "fraud=500"], "lack class 'ok'"),
        (["--decision", "f2"], "none of 'argmax'"),
        (["--decision", "argmax", "--confidence", "0.9"], "--confidence belongs"),
    ],
)
def test_decide__unusable__one_sentence_and_the_model_stays(trial, arguments, message):
    files = {path: path.read_bytes() for path in (trial / "model").iterdir()}
    done = run("decide", trial, *arguments)
    assert done.exit_code != 0
    assert message in " ".join(done.output.split())
    assert {path: path.read_bytes() for path in (trial / "model").iterdir()} == files


def test_decide__damaged_rows__one_sentence(trial, tried):
    model = SavedTrial.read(trial).load_model("cpu")
    if not model.lacks_out_of_fold:
        pytest.skip("this model needs no rows of the trial")
    (trial / "out_of_fold.csv").write_text("row,label\n0,ok\n")
    done = run("decide", trial, "--recall", "fraud=0.9")
    assert "does not hold the rows of the model's classes" in done.output
    (trial / "out_of_fold.csv").unlink()
    assert "holds no out_of_fold.csv" in run("decide", trial, "--recall", "fraud=0.9").output
