import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.gathering import (
    gather_metrics,
    gather_per_class,
    score_table,
    without_ablations,
)
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

PROTOCOL = EvaluationProtocol(repeats=2)
SPECS = {
    name: ModelSpec.model_validate(
        {"class": f"sklearn.tree.{class_}", "family": "ml", "label": name.upper()}
    )
    for name, class_ in {"tree": "DecisionTreeClassifier", "extra": "ExtraTreeClassifier"}.items()
}
TRUE, PREDICTED = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]


def make_result(model="tree", *, key=None, test_selected=False, predictions=None):
    repeats = [
        {
            "repeat": i,
            "test_selected": test_selected,
            "metrics": {**dict.fromkeys(METRICS, 0.1 + i), "fit_seconds": 2.0 + i,
                        "predict_seconds": 0.5},
        }
        for i in range(2)
    ]  # fmt: skip
    record = {
        "status": "ok",
        "error": None,
        "key": key or cell_key("table", SPECS[model], PROTOCOL),
        "test_selected": test_selected,
        "repeats": repeats,
    }
    return CellResult(record, pd.DataFrame() if predictions is None else predictions)


def make_failure(model="tree", **changes):
    result = make_result(model)
    return CellResult({**result.record, "status": "failed", "error": "E: no", **changes})


def gather(**results):
    return gather_metrics("glass", results, SPECS, PROTOCOL, "table")


def test_gather_metrics__ok__a_row_for_every_repeat():
    frame = gather(tree=make_result(test_selected=True), extra=make_result("extra"))
    assert list(frame.columns) == [
        "dataset", "model", "label", "family", "checkpoint", "test_selected", "repeat", "status",
        "error", *METRICS, "fit_seconds", "predict_seconds",
    ]  # fmt: skip
    assert frame["model"].tolist() == ["tree", "tree", "extra", "extra"]
    assert frame["label"].tolist() == ["TREE", "TREE", "EXTRA", "EXTRA"]
    assert frame["repeat"].tolist() == [0, 1, 0, 1]
    assert frame["test_selected"].tolist() == [True, True, False, False]
    assert frame["test_selected"].dtype == bool
    assert frame["macro_f1"].tolist() == [0.1, 1.1, 0.1, 1.1]
    assert frame["fit_seconds"].tolist() == [2.0, 3.0, 2.0, 3.0]
    assert set(frame["dataset"]) == {"glass"}
    assert set(frame["checkpoint"]) == {"last"}
    assert set(frame["status"]) == {"ok"}
    assert frame["error"].isna().all()


def test_gather_metrics__failed__a_row_for_every_repeat_without_scores():
    frame = gather(tree=make_failure(repeats=[]))
    assert frame["status"].tolist() == ["failed", "failed"]
    assert frame["error"].tolist() == ["E: no", "E: no"]
    assert frame["repeat"].tolist() == [0, 1]
    assert frame[[*METRICS, "fit_seconds"]].isna().all(axis=None)
    assert not frame["test_selected"].any()


def test_gather_metrics__never_run__is_not_run():
    frame = gather(tree=None, extra=make_result("extra"))
    assert frame["status"].tolist() == ["not run", "ok", "ok"]
    assert frame.loc[0, list(METRICS)].isna().all()


@pytest.mark.parametrize("make", [make_result, make_failure], ids=["ok", "failed"])
def test_gather_metrics__made_under_another_key__is_not_run(make):
    frame = gather(tree=make(key="0" * 64))
    assert frame["status"].tolist() == ["not run"]
    assert frame["error"].isna().all()


@pytest.mark.parametrize(
    ("fingerprint", "protocol", "spec", "status"),
    [
        ("table", PROTOCOL, SPECS["tree"], "ok"),
        ("other", PROTOCOL, SPECS["tree"], "not run"),
        ("table", EvaluationProtocol(repeats=2, checkpoint="test"), SPECS["tree"], "not run"),
        ("table", PROTOCOL, SPECS["extra"], "not run"),
        ("table", PROTOCOL, SPECS["tree"].model_copy(update={"label": "Renamed"}), "ok"),
    ],
    ids=["same", "table", "protocol", "model", "label"],
)
def test_gather_metrics__results_of_two_settings__never_meet(fingerprint, protocol, spec, status):
    results = {"tree": make_result()}
    frame = gather_metrics("glass", results, {"tree": spec}, protocol, fingerprint)
    assert set(frame["status"]) == {status}
    assert set(frame["label"]) == {spec.label}


def test_gather_metrics__through_parquet__stays_as_it_is(tmp_path):
    frame = gather(tree=None, extra=make_failure("extra"))
    frame.to_parquet(tmp_path / "metrics.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "metrics.parquet"), frame)


def make_predictions():
    rng = np.random.default_rng(0)
    frames = []
    for repeat in range(2):
        proba = rng.dirichlet(np.ones(3), size=6)
        frame = pd.DataFrame(proba, columns=["proba_0", "proba_1", "proba_2"])
        frame.insert(0, "y_pred", PREDICTED if repeat == 0 else TRUE)
        frame.insert(0, "y_true", TRUE)
        frame.insert(0, "row", range(6))
        frame.insert(0, "repeat", repeat)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def test_gather_per_class__scores_of_every_class_and_repeat():
    predictions = make_predictions()
    results = {"tree": make_result(predictions=predictions), "extra": None}
    frame = gather_per_class("glass", results, ["a", "b", "c"])

    assert list(frame.columns) == [
        "dataset", "model", "test_selected", "repeat", "class", "support", "precision", "recall",
        "f1", "average_precision",
    ]  # fmt: skip
    assert frame["class"].tolist() == ["a", "b", "c"] * 2
    assert frame["repeat"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["support"].tolist() == [3, 2, 1] * 2
    assert set(frame["model"]) == {"tree"}
    # Predicted as 0: three rows, of which two are 0; as 1: three, of which two are 1; as 2: none.
    assert frame["precision"].tolist() == pytest.approx([2 / 3, 2 / 3, 0, 1, 1, 1])
    assert frame["recall"].tolist() == pytest.approx([2 / 3, 1, 0, 1, 1, 1])
    assert frame["f1"][:3].tolist() == pytest.approx(
        f1_score(TRUE, PREDICTED, average=None, zero_division=0)
    )
    first = predictions[:6]
    assert frame["average_precision"][1] == pytest.approx(
        average_precision_score(first["y_true"] == 1, first["proba_1"])
    )


def test_gather_per_class__failed_and_not_run__have_no_rows():
    results = {"tree": make_failure(), "extra": None}
    assert gather_per_class("glass", results, ["a", "b", "c"]).empty
    results["extra"] = make_result("extra", predictions=make_predictions())
    frame = gather_per_class("glass", results, ["a", "b", "c"])
    assert set(frame["model"]) == {"extra"}


def make_metrics(rows):
    """Rows of dataset, model, status and macro F1."""
    return pd.DataFrame(rows, columns=["dataset", "model", "status", "macro_f1"])


def test_score_table__mean_over_the_repeats():
    metrics = make_metrics(
        [
            ("d1", "zed", "ok", 0.2),
            ("d1", "zed", "ok", 0.4),
            ("d1", "abc", "ok", 0.9),
            ("d1", "abc", "ok", 0.8),
            ("d2", "zed", "ok", 0.5),
            ("d2", "abc", "ok", 0.6),
        ]
    )
    table = score_table(metrics, "macro_f1")
    assert list(table.columns) == ["zed", "abc"]  # the order of the grid
    assert table.loc["d1"].tolist() == pytest.approx([0.3, 0.85])
    assert table.loc["d2"].tolist() == pytest.approx([0.5, 0.6])


def test_score_table__failed__is_nan_and_stays():
    metrics = make_metrics(
        [
            ("d1", "half", "failed", np.nan),
            ("d1", "never", "failed", np.nan),
            ("d1", "good", "ok", 0.8),
            ("d2", "half", "ok", 0.5),
            ("d2", "never", "failed", np.nan),
            ("d2", "good", "ok", 0.6),
        ]
    )
    table = score_table(metrics, "macro_f1")
    assert list(table.columns) == ["half", "never", "good"]
    np.testing.assert_array_equal(table["half"], [np.nan, 0.5])
    assert table["never"].isna().all()


def test_score_table__not_run_on_some_data_set__is_left_out():
    metrics = make_metrics(
        [
            ("d1", "partly", "ok", 0.9),
            ("d1", "good", "ok", 0.8),
            ("d1", "bad", "ok", 0.7),
            ("d2", "partly", "not run", np.nan),
            ("d2", "good", "ok", 0.8),
            ("d2", "bad", "failed", np.nan),
        ]
    )
    table = score_table(metrics, "macro_f1")
    assert list(table.columns) == ["good", "bad"]
    assert list(table.index) == ["d1", "d2"]


def test_score_table__not_run_where_all_others_failed__stays():
    metrics = make_metrics(
        [
            ("d1", "partly", "ok", 0.9),
            ("d1", "good", "ok", 0.8),
            ("d2", "partly", "not run", np.nan),
            ("d2", "good", "failed", np.nan),
        ]
    )
    table = score_table(metrics, "macro_f1")
    assert list(table.columns) == ["partly", "good"]
    assert table.loc["d1"].tolist() == [0.9, 0.8]
    assert table.loc["d2"].isna().all()


def test_score_table__nothing_but_failures__only_what_was_run_everywhere():
    metrics = make_metrics(
        [
            ("d1", "partly", "failed", np.nan),
            ("d1", "good", "failed", np.nan),
            ("d2", "partly", "not run", np.nan),
            ("d2", "good", "failed", np.nan),
        ]
    )
    table = score_table(metrics, "macro_f1")
    assert list(table.columns) == ["good"]
    assert list(table.index) == ["d1", "d2"]


def test_score_table__nothing_was_run__is_empty():
    metrics = make_metrics([("d1", "a", "not run", np.nan), ("d2", "a", "not run", np.nan)])
    assert score_table(metrics, "macro_f1").empty


def make_families(**status):
    """A row of d1 for every model, its status by name and its family by the name's beginning."""
    rows = [("d1", model, model.split("_")[0], state) for model, state in status.items()]
    return pd.DataFrame(rows, columns=["dataset", "model", "family", "status"])


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ({"proposed": "ok", "ablation_x": "ok", "ml": "ok"}, ["proposed", "ml"]),
        ({"ablation_x": "ok", "ablation_y": "failed", "dl": "failed"}, ["dl"]),
        ({"proposed": "ok", "ablation_x": "ok"}, ["proposed", "ablation_x"]),
        ({"ablation_x": "ok", "ablation_y": "ok"}, ["ablation_x", "ablation_y"]),
        (
            {"proposed": "ok", "ablation_x": "ok", "ml": "not run"},
            ["proposed", "ablation_x", "ml"],
        ),
        ({"proposed": "ok", "ml": "ok"}, ["proposed", "ml"]),
    ],
    ids=["competitors", "failed ones", "none", "ablations alone", "not run", "no ablation"],
)
def test_without_ablations__only_where_there_are_competitors(status, left):
    metrics = make_families(**status)
    assert without_ablations(metrics)["model"].tolist() == left
    assert len(metrics) == len(status)
