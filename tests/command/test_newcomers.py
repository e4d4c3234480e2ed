"""What newcomers do to the command, and what must not come of it."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from tests.trial import probes

from qcl_mixnet.command.file_flags import with_flags
from qcl_mixnet.command.group import cli
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.trial import plan, whole
from qcl_mixnet.trial.folder import SavedTrial

QUICK = ["--model", "logistic_regression_tuned", "--folds", "3", "--repeats", "1"]


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(n=120, noise=0.3, labels=("no", "yes")):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)}).round(6)
    is_rare = frame["a"] + noise * rng.normal(size=n) > 0.8
    frame["y"] = np.where(is_rare, labels[1], labels[0])
    return frame


def write(frame, name="t.csv", **options):
    frame.to_csv(name, index=False, **options)
    return name


def test_try__replaced_by_one_without_a_model__the_earlier_model_is_gone():
    file = write(table())
    assert run("try", file, "-t", "y", *QUICK).exit_code == 0
    assert SavedTrial.read("t-trial").load_model("cpu") is not None
    noise = table()
    noise["a"] = np.random.default_rng(1).normal(size=len(noise))
    write(noise)
    assert run("try", file, "-t", "y", *QUICK, "--overwrite").exit_code == 0
    refused = run("predict", "t-trial", file)
    assert refused.exit_code == 1
    assert "holds no model" in refused.output


def test_try__folder_named_model_that_is_none__is_not_removed(tmp_path):
    file = write(table())
    run("try", file, "-t", "y", *QUICK, "-o", "out")
    for path in (tmp_path / "out" / "model").iterdir():
        path.unlink()
    (tmp_path / "out" / "model" / "mine.txt").write_text("x")
    refused = run("try", file, "-t", "y", *QUICK, "-o", "out", "--overwrite")
    assert refused.exit_code == 1
    assert "is no model of an earlier trial" in refused.output
    assert (tmp_path / "out" / "model" / "mine.txt").exists()


def test_try__interrupted_in_the_last_training__keeps_the_records_and_says_so(monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(whole, "keep_winner", stopped)
    result = run("try", write(table()), "-t", "y", *QUICK)
    assert result.exit_code == 130
    assert "Interrupted: what was done is in t-trial; no model was saved." in result.output
    record = SavedTrial.read("t-trial").record
    assert (record["interrupted"], record["protocol"]["folds_done"]) == (True, 3)


def test_try__winner_that_cannot_be_fitted_on_all_rows__one_sentence(monkeypatch):
    entry = {"class": "tests.trial.probes.FailingOnAllClassifier", "family": "ml", "label": "F"}
    monkeypatch.setattr(plan, "SHORTLIST", {**plan.SHORTLIST, "f": ModelSpec(**entry)})
    monkeypatch.setattr(probes.FailingOnAllClassifier, "most", 100)
    arguments = ["-t", "y", "--model", "f", "--folds", "3", "--keep"]
    result = run("try", write(table()), *arguments)
    assert result.exit_code == 1
    assert "F was compared but cannot be fitted on all rows (ValueError: too" in result.output
    assert SavedTrial.read("t-trial").record["verdict"]["winner"] == "f"


def test_try__labels_with_decimals__are_classes_that_predictions_spell_alike():
    file = write(table(labels=(0.5, 1.5)))
    assert run("try", file, "-t", "y", *QUICK).exit_code == 0
    assert run("predict", "t-trial", file, "-o", "out.csv").exit_code == 0
    rows = pd.read_csv("out.csv")
    assert (rows["label"] == pd.read_csv(file)["y"]).mean() > 0.85
    assert list(rows) == ["label", "proba_0.5", "proba_1.5"]


def test_try__spaces_around_labels__make_no_classes():
    frame = table()
    frame.loc[::2, "y"] = " " + frame.loc[::2, "y"]
    result = run("try", write(frame), "-t", "y", *QUICK)
    assert "2 classes; spaces around the label in 60 rows do not count" in result.output
    assert SavedTrial.read("t-trial").record["classes"] == ["no", "yes"]


def test_try__two_groups__two_folds_and_a_word_on_intervals():
    frame = table().assign(g=["A", "B"] * 60)
    result = run("try", write(frame), "-t", "y", "--groups", "g", "--model",
                 "logistic_regression_tuned")  # fmt: skip
    assert result.exit_code == 0
    assert "2 folds, drawn 2 times, at random, rows of one 'g' together" in result.output
    assert "The intervals are too narrow: they redraw 2 groups, and need 20" in result.output


def test_try__dummy_alone__has_no_winner_that_could_be_kept():
    result = run("try", write(table()), "-t", "y", "--model", "dummy", "--folds", "3")
    assert "No model could be scored to the end" in result.output
    assert "No model is saved; the records are in t-trial." in result.output


def test_try__sign_of_equality_in_a_name__kind_is_told():
    result = run("try", write(table().rename(columns={"b": "b=c"})), "-t", "y", *QUICK,
                 "--as", "b=c=category")  # fmt: skip
    assert result.exit_code == 0
    assert SavedTrial.read("t-trial").readings.columns["b=c"].kind == "category"


def test_try__no_row_of_names__can_be_told():
    write(table(), header=False)
    assert run("try", "t.csv", "-t", "2", "--header", "none", *QUICK).exit_code == 0
    assert SavedTrial.read("t-trial").readings.file["header"] == "none"


def test_try__same_seed__same_record_but_for_seconds():
    records = []
    for output in ("one", "two"):
        run("try", write(table()), "-t", "y", *QUICK, "--model", "random_forest", "-o", output)
        records.append(SavedTrial.read(output).record)
        for row in records[-1]["leaderboard"]:
            assert row.pop("fit_seconds") > 0
        del records[-1]["finished_at"]
    assert records[0] == records[1]
    assert records[0]["protocol"]["seed"] == 42


def test_predict__other_separator_decimal_and_encoding__can_be_told():
    run("try", write(table()), "-t", "y", *QUICK)
    write(table(), "new.csv", sep=";", decimal=",", encoding="utf-16")
    told = ["--separator", ";", "--decimal", ",", "--encoding", "utf-16"]
    refused = run("predict", "t-trial", "new.csv")
    assert refused.exit_code == 1
    assert "say --encoding utf-16." in refused.output
    done = run("predict", "t-trial", "new.csv", *told, "-o", "one.csv")
    assert done.exit_code == 0, done.output
    run("predict", "t-trial", "t.csv", "-o", "two.csv")
    pd.testing.assert_frame_equal(pd.read_csv("one.csv"), pd.read_csv("two.csv"))


def test_predict__identifier_named_as_a_prediction__says_what_to_do():
    frame = table()
    frame.insert(0, "label", [f"K{i:04d}" for i in range(len(frame))])
    run("try", write(frame), "-t", "y", *QUICK)
    refused = run("predict", "t-trial", "t.csv")
    assert refused.exit_code == 1
    assert "has an identifier 'label', which is the name of a column of pred" in refused.output
    assert run("predict", "t-trial", "t.csv", "--id", "a", "--id", "a").exit_code == 0
    assert list(pd.read_csv("t-predicted.csv"))[:2] == ["a", "label"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t-trial", "t.csv", "--device", "gpu"], "--device is 'gpu'; it can be auto, cpu"),
        (["~nobody-here/x", "t.csv"], "home of a user who is not known"),
        (["t-trial", "t.csv", "-o", "~nobody-here/x"], "--output: '~nobody-here/x' names the"),
    ],
)
def test_predict__bad_flags__one_sentence(arguments, message):
    run("try", write(table()), "-t", "y", *QUICK)
    result = run("predict", *arguments)
    assert result.exit_code in {1, 2}
    assert message in result.output


def test_report__record_without_its_leaderboard__is_damaged(tmp_path):
    run("try", write(table()), "-t", "y", *QUICK)
    path = tmp_path / "t-trial" / "trial.json"
    record = json.loads(path.read_text())
    del record["leaderboard"]
    path.write_text(json.dumps(record))
    result = run("report", "t-trial")
    assert result.exit_code == 1
    assert "is damaged (ValueError: it lacks leaderboard); run the trial again." in result.output


def test_json__has_ascii_alone_whatever_the_names_are():
    write(table().rename(columns={"a": "größe 日本"}))
    result = run("try", "t.csv", "-t", "y", *QUICK, "--json")
    assert result.stdout.isascii()
    assert "größe 日本" in json.loads(result.stdout)["columns"]


def test_wide_table__columns_that_need_no_word_are_counted():
    rng = np.random.default_rng(0)
    frame = table().join(pd.DataFrame(rng.normal(size=(120, 80))).add_prefix("x"))
    result = run("try", write(frame.assign(z=1)), "-t", "y", *QUICK)
    assert "  z  constant    0 gaps" in result.output
    assert "  ... and 82 more columns: 82 number" in result.output
    assert "  x7 " not in result.output
    assert "more, which are in t-trial" in run("report", "t-trial").output


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("x; set `separator: ';'` of the source", "x; say --separator ';'"),
        ("set `header` of the source to 1 or more", "say --header with 1 or more"),
        ("correct `sheet` of the source", "correct --sheet"),
        ("set `na_values` of the source", "say --na-values"),
        ("use `drop` of the source", "use `drop` of the source"),
    ],
)
def test_with_flags__entries_of_yaml_become_flags(message, told):
    assert with_flags(message) == told
