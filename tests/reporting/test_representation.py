import io

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.reporting import representation
from qcl_mixnet.reporting.representation import (
    plot_representation,
    project_first_repeat,
    project_representation,
)
from qcl_mixnet.reporting.style import class_style

SHOWN = "test rows as QCL represents them"
DESCRIPTIONS = pd.DataFrame(
    {"dataset": ["a", "b", "c"], "label": ["Set A", "Set B", "Set C"], "task": "binary"}
)


def make_representation(counts, seed=0, width=32):
    """Rows of classes 0, 1 and so on, as many as `counts` says, each around its own place."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    h = 20 * rng.normal(size=(len(counts), width))[y] + rng.normal(size=(len(y), width))
    frame = pd.DataFrame(h, columns=[f"h_{i}" for i in range(width)])
    return frame.assign(row=np.arange(100, 100 + len(y)), y_true=y)


def make_projections(classes, test_selected=False):
    """Rows of the data sets; `classes` has the class of every row."""
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"dataset": name, "y_true": y, "model": "qcl", "test_selected": test_selected})
        for name, y in classes.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(x=rng.normal(size=len(frame)), y=rng.normal(size=len(frame)))


def make_results(representation, model="qcl", test_selected=False):
    """Results of a cell with the same representation in two repeats, the second shifted."""
    second = representation + 1
    frame = pd.concat([representation.assign(repeat=0), second.assign(repeat=1)])
    return {model: CellResult({"test_selected": test_selected}, representation=frame)}


def make_metrics(models=("qcl",), repeats=1):
    rows = [
        {"model": model, "label": model.upper(), "repeat": repeat}
        for model in models
        for repeat in range(repeats)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def n_projections(monkeypatch):
    """How often t-SNE has been asked for."""
    calls = []
    project = representation.project_representation

    def counted(*args, **kwargs):
        calls.append(args)
        return project(*args, **kwargs)

    monkeypatch.setattr(representation, "project_representation", counted)
    return lambda: len(calls)


def test_project_first_repeat__first_repeat_of_each_model_that_has_one():
    rows = make_representation([10, 5])
    results = {
        **make_results(rows, "qcl", test_selected=True), "none": None,
        "tree": CellResult({"test_selected": False}),
    }  # fmt: skip
    found = project_first_repeat("glass", results, seed=3)
    assert list(found) == ["row", "y_true", "x", "y", "dataset", "model", "test_selected", "key"]
    pd.testing.assert_frame_equal(
        found[["row", "y_true", "x", "y"]], project_representation(rows, seed=3)
    )
    assert found[["dataset", "model", "test_selected"]].drop_duplicates().to_numpy().tolist() == [
        ["glass", "qcl", True]
    ]
    nothing = project_first_repeat("glass", {"none": None}, seed=3)
    assert nothing.empty
    assert list(nothing) == list(found)


def test_project_first_repeat__nothing_has_changed__takes_the_previous_map(n_projections, tmp_path):
    results = make_results(make_representation([10, 5]))
    first = project_first_repeat("glass", results, seed=0)
    first.to_parquet(tmp_path / "map.parquet", index=False)
    stored = pd.read_parquet(tmp_path / "map.parquet")
    again = project_first_repeat("glass", results, seed=0, previous=stored)
    pd.testing.assert_frame_equal(again, first)
    assert n_projections() == 1
    marked = make_results(make_representation([10, 5]), test_selected=True)
    assert project_first_repeat("glass", marked, seed=0, previous=stored)["test_selected"].all()
    assert n_projections() == 1


@pytest.mark.parametrize(
    ("results", "seed"),
    [
        (make_results(make_representation([10, 5], seed=1)), 0),
        (make_results(make_representation([10, 5])), 1),
        (make_results(make_representation([10, 5]), "other"), 0),
    ],
    ids=["representation", "seed", "model"],
)
def test_project_first_repeat__something_has_changed__maps_anew(results, seed, n_projections):
    previous = project_first_repeat("glass", make_results(make_representation([10, 5])), seed=0)
    found = project_first_repeat("glass", results, seed=seed, previous=previous)
    assert n_projections() == 2
    fresh = project_first_repeat("glass", results, seed=seed)
    pd.testing.assert_frame_equal(found, fresh)


@pytest.mark.parametrize("columns", [[], ["row", "y_true", "x", "y", "dataset", "model"]])
def test_project_first_repeat__previous_map_without_a_key__maps_anew(columns, n_projections):
    results = make_results(make_representation([10, 5]))
    previous = pd.DataFrame(columns=columns)
    assert len(project_first_repeat("glass", results, seed=0, previous=previous)) == 15
    assert n_projections() == 1


def test_project_first_repeat__not_finite__a_warning_every_time(caplog):
    rows = make_representation([10, 5])
    good = project_first_repeat("glass", make_results(rows), seed=0)
    rows.loc[3, "h_7"] = np.inf
    for _ in range(2):
        caplog.clear()
        assert project_first_repeat("glass", make_results(rows), seed=0, previous=good).empty
        assert "qcl on glass is left out of figure 4: The representation holds" in caplog.text


def test_project_representation__classes_far_apart__stay_apart():
    rows = make_representation([30, 20, 10])
    places = project_representation(rows, seed=0)
    assert list(places.columns) == ["row", "y_true", "x", "y"]
    assert list(places["row"]) == list(rows["row"])
    assert list(places["y_true"]) == list(rows["y_true"])
    xy = places[["x", "y"]].to_numpy()
    assert xy.dtype == np.float64
    distances = np.linalg.norm(xy[:, None] - xy, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (places["y_true"].to_numpy()[distances.argmin(axis=1)] == places["y_true"]).all()


def test_project_representation__same_seed__same_places():
    rows = make_representation([80, 40])
    first = project_representation(rows, seed=3, max_rows=60)
    pd.testing.assert_frame_equal(first, project_representation(rows, seed=3, max_rows=60))
    other = project_representation(rows, seed=4, max_rows=60)
    assert set(first["row"]) != set(other["row"])


def test_project_representation__many_rows__a_stratified_sample():
    rows = make_representation([600, 300, 99, 1])
    # Rows of a repeat keep the labels that they had in a longer frame.
    rows.index = [0] * len(rows)
    sample = project_representation(rows, seed=0, max_rows=100)
    # Shares are 60, 30, 9.9 and 0.1; the row that the smallest class is given is one of the 60.
    assert sample["y_true"].value_counts().sort_index().tolist() == [59, 30, 10, 1]
    of_rows = rows.set_index("row")["y_true"]
    assert (of_rows[sample["row"]].to_numpy() == sample["y_true"]).all()
    assert sample["row"].is_monotonic_increasing


@pytest.mark.parametrize("counts", [[1], [2, 2], [0]])
def test_project_representation__fewer_than_five_rows__none_is_left(counts):
    places = project_representation(make_representation(counts), seed=0)
    assert places.shape == (0, 4)
    assert list(places.columns) == ["row", "y_true", "x", "y"]


@pytest.mark.parametrize("counts", [[5], [3, 3], [50, 50]])
def test_project_representation__any_other_number__has_finite_places(counts):
    places = project_representation(make_representation(counts), seed=0)
    assert len(places) == sum(counts)
    assert np.isfinite(places[["x", "y"]].to_numpy()).all()


def test_project_representation__all_rows_alike__all_in_one_place():
    rows = make_representation([10])
    rows.loc[:, "h_0":"h_31"] = 0.5
    places = project_representation(rows, seed=0)
    assert (places[["x", "y"]] == 0).all(axis=None)


def test_project_representation__only_some_rows_alike__finite_places():
    rows = make_representation([20])
    rows.loc[:14, "h_0":"h_31"] = 0.5
    places = project_representation(rows, seed=0)
    assert np.isfinite(places[["x", "y"]].to_numpy()).all()


def test_project_representation__value_that_is_not_finite__is_refused():
    rows = make_representation([10])
    rows.loc[3, "h_7"] = np.nan
    with pytest.raises(EvaluationError, match="not finite"):
        project_representation(rows, seed=0)


def test_plot_representation__a_panel_per_data_set__in_the_order_of_descriptions():
    projections = make_projections({"c": [0, 1, 1], "a": [0, 0, 1, 2]})
    figure = plot_representation(projections, make_metrics(), DESCRIPTIONS)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["Set A\n(3 classes)", "Set C\n(2 classes)"]
    assert figure.get_supxlabel() == f"{SHOWN} · 1 data set without a representation left out"
    assert all(axes.get_aspect() == 1 for axes in figure.axes)


def test_plot_representation__classes_by_size__rare_ones_on_top():
    projections = make_projections({"a": [2] * 5 + [0] * 2 + [1] * 9})
    (axes,) = plot_representation(projections, make_metrics(), DESCRIPTIONS.iloc[:1]).axes
    lines = sorted(axes.lines, key=lambda line: line.get_zorder())
    assert [len(line.get_xdata()) for line in lines] == [9, 5, 2]
    assert [(line.get_color(), line.get_marker()) for line in lines] == [
        class_style(0), class_style(1), class_style(2),
    ]  # fmt: skip
    rare = projections[projections["y_true"] == 0]
    assert list(lines[2].get_xdata()) == list(rare["x"])
    assert list(lines[2].get_ydata()) == list(rare["y"])


def test_plot_representation__classes_of_one_size__go_by_number():
    projections = make_projections({"a": [1, 0, 2, 0, 1, 2]})
    (axes,) = plot_representation(projections, make_metrics(), DESCRIPTIONS.iloc[:1]).axes
    first = projections.loc[projections["y_true"] == 0, "x"]
    assert list(axes.lines[0].get_xdata()) == list(first)


def test_plot_representation__two_models__the_first_in_all_panels():
    projections = make_projections({"a": [0, 0, 1], "b": [0, 1]})
    first, second = projections.assign(model="qcl"), projections.assign(model="other")
    # The first model has nothing on b.
    both = pd.concat([first[first["dataset"] == "a"], second], ignore_index=True)
    figure = plot_representation(both, make_metrics(["qcl", "other"]), DESCRIPTIONS.iloc[:2])
    (axes,) = figure.axes
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 1]
    assert figure.get_supxlabel() == f"{SHOWN} · 1 data set without a representation left out"


def test_plot_representation__legend__has_as_many_classes_as_the_fullest_panel():
    projections = make_projections({"a": [0, 1], "b": [0, 0, 1, 2]})
    (legend,) = plot_representation(projections, make_metrics(), DESCRIPTIONS).legends
    assert [text.get_text() for text in legend.get_texts()] == ["largest", "2nd", "3rd"]


def test_plot_representation__many_classes__all_drawn_and_a_note():
    projections = make_projections({"a": list(range(100)) * 2})
    figure = plot_representation(projections, make_metrics(), DESCRIPTIONS.iloc[:1])
    (axes,) = figure.axes
    assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == 100
    assert len(figure.legends[0].get_texts()) == 8
    note = "classes beyond 8 have other pairs of colour and marker"
    assert figure.get_supxlabel() == f"{SHOWN} · {note}"


def test_plot_representation__epochs_chosen_on_the_test_part__are_noted():
    projections = make_projections({"a": [0, 1], "b": [0, 1]})
    projections.loc[3, "test_selected"] = True
    figure = plot_representation(projections, make_metrics(), DESCRIPTIONS.iloc[:2])
    assert [axes.get_title() for axes in figure.axes] == [
        "Set A\n(2 classes)", "Set B*\n(2 classes)",
    ]  # fmt: skip
    assert figure.get_supxlabel() == (
        "test rows as QCL* represents them · * epochs chosen on the test part"
    )


def test_plot_representation__several_repeats__which_is_shown():
    projections = make_projections({"a": [0, 1]})
    figure = plot_representation(projections, make_metrics(repeats=5), DESCRIPTIONS.iloc[:1])
    assert figure.get_supxlabel() == f"{SHOWN} · first of 5 repeats"


def test_plot_representation__dollar_signs__are_no_mathematics():
    projections, described = make_projections({"a": [0, 1]}), DESCRIPTIONS.iloc[:1]
    figure = plot_representation(
        projections, make_metrics().assign(label="$x$"), described.assign(label="A $5^$ B")
    )
    figure.savefig(io.BytesIO(), format="svg")
    assert figure.axes[0].get_title().startswith("A $5^$ B\n")
    assert "as $x$ represents them" in figure.get_supxlabel()


def test_plot_representation__data_set_without_description__is_refused():
    with pytest.raises(EvaluationError, match="'z' has results and no row"):
        plot_representation(make_projections({"z": [0, 1]}), make_metrics(), DESCRIPTIONS)


def test_plot_representation__nothing_to_show__a_sentence_says_why(check_legible, words):
    nothing = make_projections({"a": [0, 1]}).assign(model="qcl").iloc[:0]
    figure = plot_representation(nothing, make_metrics(), DESCRIPTIONS)
    check_legible(figure)
    assert "No representation to show" in words(figure)


@pytest.mark.parametrize("n_datasets", [1, 2, 5, 18])
def test_plot_representation__any_number_of_data_sets__everything_can_be_read(
    n_datasets, check_legible
):
    names = [f"d{i}" for i in range(n_datasets)]
    labels = [f"One-hundred sets of long name ({name})" for name in names]
    descriptions = pd.DataFrame({"dataset": names, "label": labels})
    projections = make_projections({name: range(26) for name in names}, test_selected=True)
    figure = plot_representation(projections, make_metrics(repeats=5), descriptions)
    check_legible(figure)
    assert len(figure.axes) == n_datasets
    assert figure.get_figwidth() == 7
