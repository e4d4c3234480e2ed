"""The command `qcl-mixnet`, from files of users to models and back."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from tests.inspection import own_tables

from qcl_mixnet.command.group import cli
from qcl_mixnet.trial import comparison, folder, shortlist
from qcl_mixnet.trial.folder import SavedTrial

QUICK = ["--model", "logistic_regression_tuned", "--folds", "3", "--repeats", "1"]


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """A trial of a table with dates, identifiers and categories."""
    place = tmp_path_factory.mktemp("tried")
    table = own_tables.dates_and_ids(place)
    output = place / "trial"
    result = run("try", table.path, "-t", table.target, "-o", output, *QUICK)
    return table, output, result


def test_try__tells_columns_data_leaderboard_and_meaning(tried):
    _, output, result = tried
    assert result.exit_code == 0, result.output
    for words in (
        "customer_id  identifier", "since        date        0 gaps", "The rarest class is 'yes'",
        "3 folds, at random", "average precision", "LR, tuned decision is first with macro F1",
        "differences below", f"Saved in {output}",
    ):  # fmt: skip
        assert words in result.output
    assert max(map(len, result.output.splitlines())) < 200 + len(str(output))
    files = {path.name for path in output.iterdir()}
    assert files == {"trial.json", "leaderboard.csv", "columns.yml", "out_of_fold.csv", "model"}


def test_try__leaderboard_json_and_out_of_fold_rows_agree(tried):
    table, output, _ = tried
    board = pd.read_csv(output / "leaderboard.csv")
    record = json.loads((output / "trial.json").read_text())
    assert [row["model"] for row in record["leaderboard"]] == board["model"].tolist()
    assert record["leaderboard"][0]["macro_f1"] == pytest.approx(board["macro_f1"][0])
    rows = pd.read_csv(output / "out_of_fold.csv")
    assert sorted(rows["row"]) == list(range(len(rows)))
    labels = pd.read_csv(table.path)[table.target]
    assert (rows.set_index("row")["label"].sort_index() == labels).all()
    from sklearn.metrics import f1_score

    own = f1_score(rows["label"], rows["predicted"], average="macro")
    assert own == pytest.approx(board["macro_f1"][0])


def test_predict__fresh_process_csv_and_parquet__the_labels_of_the_twin_in_memory(tried, tmp_path):
    table, output, _ = tried
    raw = pd.read_csv(table.path)
    raw.drop(columns=table.target).to_parquet(tmp_path / "new.parquet")
    expected = SavedTrial.read(output).load_model("cpu")
    from qcl_mixnet.inspection.applying import apply_to_new
    from qcl_mixnet.inspection.sniffing import read_source

    readings = SavedTrial.read(output).readings
    X = apply_to_new(read_source(readings.source(str(table.path))), readings)
    code = "from qcl_mixnet.command import main; main()"
    for file in (table.path, tmp_path / "new.parquet"):
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", output, file, "-o", "out.csv", "--overwrite"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        predicted = pd.read_csv("out.csv")
        assert predicted["label"].tolist() == expected.predict(X).tolist()
        np.testing.assert_allclose(
            predicted[["proba_no", "proba_yes"]], expected.predict_proba(X), rtol=1e-6
        )
        assert predicted["customer_id"].tolist() == raw["customer_id"].tolist()
    assert f"{len(raw)} rows are in out.csv" in done.stdout


def test_winner__is_what_the_same_fit_in_memory_gives(tried):
    """Refitted here by scikit-learn on the table as it was read."""
    from qcl_mixnet.evaluation.protocol import EvaluationProtocol
    from qcl_mixnet.evaluation.whole import fit_whole
    from qcl_mixnet.trial.opening import TableOptions, open_table

    table, output, _ = tried
    opened = open_table(table.path, TableOptions(target=table.target))
    spec = shortlist.SHORTLIST["logistic_regression_tuned"]
    twin = fit_whole(
        opened.X, opened.y.to_numpy(), spec, EvaluationProtocol(seed=42), encoder=opened.encoder
    ).model
    saved = SavedTrial.read(output).load_model("cpu")
    np.testing.assert_array_equal(saved.predict(opened.X), twin.predict(opened.X))
    np.testing.assert_array_equal(saved.predict_proba(opened.X), twin.predict_proba(opened.X))


def test_report__tells_it_again(tried):
    _, output, result = tried
    told = run("report", output)
    assert told.exit_code == 0
    board = [line for line in result.output.splitlines() if line.startswith("LR, tuned")]
    assert all(line in told.output for line in board)
    assert f"Model: {output / 'model'}" in told.output
    assert json.loads(run("report", output, "--json").output)["target"] == "churned"


@pytest.mark.parametrize("name", ["semicolons", "question_marks", "four_classes"])
def test_try__files_of_users__are_read_without_a_flag(name, tmp_path):
    table = getattr(own_tables, name)(tmp_path)
    result = run("try", table.path, "-t", table.target, *QUICK)
    assert result.exit_code == 0, result.output
    trial = SavedTrial.read(tmp_path / f"{table.path.name.split('.')[0]}-trial")
    kinds = {name: column.kind for name, column in trial.readings.columns.items()}
    assert kinds == table.kinds
    assert run("predict", trial.folder, table.path, "-o", "out.parquet").exit_code == 0
    assert len(pd.read_parquet("out.parquet")) == trial.record["data"]["rows"]


def test_try__twelve_rows__says_what_is_luck(tmp_path):
    table = own_tables.four_classes(tmp_path)
    result = run("try", table.path, "-t", table.target, *QUICK)
    assert "With 12 rows of 'acute', differences below 0." in result.output


def test_try__leak_and_twins__are_named(tmp_path):
    table = own_tables.with_duplicates(own_tables.with_leak(own_tables.dates_and_ids(tmp_path)))
    result = run("try", table.path, "-t", table.target, *QUICK)
    assert "Suspected leaks" in result.output
    assert "of the test rows have their twin among the training rows" in result.output


def test_try__nothing_to_learn__is_told_and_no_model_is_saved(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    frame["y"] = rng.permutation(np.repeat(["no", "yes"], [160, 40]))
    frame.to_csv("noise.csv", index=False)
    result = run("try", "noise.csv", "-t", "y", *QUICK)
    assert result.exit_code == 0
    assert "There is nothing to learn here that these models find" in result.output
    assert "No model is saved (--keep" in result.output
    refused = run("predict", "noise-trial", "noise.csv")
    assert refused.exit_code == 1
    assert "holds no model" in refused.output
    kept = run("try", "noise.csv", "-t", "y", *QUICK, "--keep", "--overwrite")
    assert "Saved in noise-trial" in kept.output


def test_try__json__is_json_alone(tmp_path):
    table = own_tables.question_marks(tmp_path)
    result = run("try", table.path, "-t", table.target, *QUICK, "--json")
    record = json.loads(result.stdout)
    assert record["model"] == "credit-trial/model"
    assert record["verdict"]["winner"] == "logistic_regression_tuned"


def test_try__interrupted__keeps_what_is_done(tmp_path, monkeypatch):
    table = own_tables.question_marks(tmp_path)
    plain = comparison.run_cell

    def stopped(part, spec, protocol, *, n_jobs):
        if part.splits[0].seed == 43 and spec.label.startswith("LR"):
            raise KeyboardInterrupt
        return plain(part, spec, protocol, n_jobs=n_jobs)

    monkeypatch.setattr(comparison, "run_cell", stopped)
    result = run("try", table.path, "-t", table.target, *QUICK)
    assert result.exit_code == 130
    assert "Interrupted: what was done is in credit-trial; no model was saved." in result.output
    record = SavedTrial.read("credit-trial").record
    assert (record["interrupted"], record["protocol"]["folds_done"]) == (True, 1)
    assert record["leaderboard"][0]["macro_f1"] is not None


def test_try__groups_and_time__are_kept_apart(tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame({"patient": np.repeat(np.arange(30), 4), "x": rng.normal(size=n)})
    frame["day"] = pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d")
    frame["y"] = np.where(frame["x"] + rng.normal(size=n) > 0.5, "ill", "well")
    frame.to_csv("p.csv", index=False)
    grouped = run("try", "p.csv", "-t", "y", "--groups", "patient", *QUICK)
    assert "rows of one 'patient' together" in grouped.output
    rows = pd.read_csv("p-trial/out_of_fold.csv")
    by_fold = [set(rows.loc[rows["fold"] == fold, "row"] // 4) for fold in range(3)]
    assert sum(map(len, by_fold)) == len(set.union(*by_fold))
    timed = run("try", "p.csv", "-t", "y", "--time", "day", *QUICK, "--overwrite")
    assert "forward in 'day', each later than what was trained on" in timed.output
    rows = pd.read_csv("p-trial/out_of_fold.csv")
    assert rows.groupby("fold")["row"].min().is_monotonic_increasing
    assert rows["row"].min() > 20
    plan = SavedTrial.read("p-trial").readings
    assert plan.columns["day"].kind == "excluded"


def test_try__edited_readings__are_obeyed(tmp_path):
    table = own_tables.question_marks(tmp_path)
    run("try", table.path, "-t", table.target, *QUICK)
    readings = tmp_path / "credit-trial" / "columns.yml"
    readings.write_text(readings.read_text().replace("age: number", "age: excluded"))
    again = run("try", table.path, "--columns", readings, "-o", "second", *QUICK)
    assert again.exit_code == 0, again.output
    assert "age       excluded" in again.output
    assert SavedTrial.read("second").readings.features() == ["income", "job"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv", "-t", "y"], "There is no file"),
        (["t.csv"], "No target is named; say with --target"),
        (["t.csv", "-t", "Y"], r"no column 'Y', which --target names \(did you mean 'y'\?\)"),
        (["t.csv", "-t", "y", "--model", "forest"], "no model 'forest' to try"),
        (["t.csv", "-t", "y", "--as", "x=nmber"], "did you mean 'number'"),
        (["t.csv", "-t", "y", "--as", "x"], "write it as COLUMN=KIND"),
        (["t.csv", "-t", "y", "--folds", "1"], "--folds is 1, and input should be greater"),
        (["t.csv", "-t", "y", "--separator", ";;"], "--separator of the file"),
        (["t.csv", "-t", "y", "--encoding", "utf-99"], "utf-99"),
        (["t.csv", "-t", "y", "--groups", "z"], "no column 'z', which --groups names"),
        (["t.csv", "-t", "y", "--time", "c"], "has no order in time"),
        (["t.csv", "-t", "y", "-o", "t.csv"], "is a file; name another folder"),
        (["t.csv", "-t", "y", "-o", "full"], "holds something else than a trial"),
        (["t.csv", "-t", "y", "--jobs", "0"], "--jobs is 0, and input should be greater"),
        (["t.csv", "-t", "y", "--time-limit", "inf"], "--time-limit is inf, and input should be"),
        (["t.csv", "-t", "y", "--header", "top"], "option 'header' of the file is 'top'"),
        (["t.csv", "-t", "y", "--groups", "y"], "--groups names the target 'y'"),
        (["t.csv", "-t", "y", "--time", "x", "--repeats", "2"], "leave --repeats out"),
        (["t.csv", "-t", "y", "-o", "~nobody-here/x"], "home of a user who is not known"),
        (["one.csv", "-t", "y"], "Class 'rare' .* has 1 row"),
    ],
)
def test_try__bad_input__one_sentence_before_training(arguments, message, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a model was trained")

    monkeypatch.setattr(comparison, "run_cell", never)
    frame = pd.DataFrame({"x": np.arange(40) % 7 / 2, "c": list("ab") * 20, "y": list("no") * 20})
    frame.to_csv("t.csv", index=False)
    frame.assign(y=["rare", *["often"] * 39]).to_csv("one.csv", index=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    result = run("try", *arguments)
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.output
    import re

    assert re.search(message, " ".join(result.output.split())), result.output


def test_try__earlier_trial__is_replaced_only_if_told(tried):
    table, output, _ = tried
    result = run("try", table.path, "-t", table.target, "-o", output, *QUICK)
    assert result.exit_code == 1
    assert "replace it with --overwrite" in result.output


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "trial.json").write_text("{"), "is damaged"),
        (lambda p: (p / "trial.json").write_text('{"schema_version": 99}'), "version 99"),
        (lambda p: (p / "trial.json").unlink(), "holds no trial"),
        (lambda p: (p / "columns.yml").write_text("target: [1]"), "columns.yml"),
        (lambda p: (p / "model" / "kept.json").write_text("{}"), "kept.json|cannot be|model"),
    ],
)
def test_predict__damaged_trial__one_sentence(tried, tmp_path, damage, message):
    import re
    import shutil

    table, output, _ = tried
    copy = shutil.copytree(output, tmp_path / "copy")
    damage(copy)
    result = run("predict", copy, table.path)
    assert result.exit_code == 1
    assert re.search(message, result.output)
    assert len(result.output) < 700


def test_predict__bad_files__one_sentence(tried, tmp_path):
    table, output, _ = tried
    frame = pd.read_csv(table.path)
    frame.drop(columns="plan").to_csv("lacks.csv", index=False)
    assert "no column 'plan'" in run("predict", output, "lacks.csv").output
    frame.assign(since="soon").to_csv("odd.csv", index=False)
    assert "'soon' in row 0" in run("predict", output, "odd.csv").output
    frame.head(0).to_csv("empty.csv", index=False)
    assert run("predict", output, "empty.csv").exit_code == 1
    (tmp_path / "there.csv").write_text("x")
    assert "is there already" in run("predict", output, table.path, "-o", "there.csv").output
    assert "no column 'nobody', which --id" in run(
        "predict", output, table.path, "--id", "nobody"
    ).output  # fmt: skip


def test_help__fits_a_screen():
    assert len(run("--help").output.splitlines()) <= 24
    assert len(run("try", "--help").output.splitlines()) <= 40
    assert run("--version").output.startswith("qcl-mixnet, version")


def test_main__package_is_missing__says_what_to_install():
    code = (
        "import sys; sys.modules['click'] = None\n"
        "from qcl_mixnet.command import main; sys.argv = ['qcl-mixnet']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'qcl-mixnet[command]'" in done.stderr


def test_folder__names_what_the_kedro_face_reads():
    assert folder.MODEL_FOLDER == "model"
