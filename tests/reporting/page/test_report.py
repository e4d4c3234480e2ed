import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.page.colors import GAPS
from qcl_mixnet.reporting.page.pictures import CAPTIONS, DrawnFigure
from qcl_mixnet.reporting.page.report import build_report
from qcl_mixnet.reporting.paper_figures import FIGURES
from qcl_mixnet.reporting.rendering import number
from qcl_mixnet.reporting.tables import leaderboard_table

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; Ωß"


def details(html):
    text = re.search(r'id="details-data">(.*?)</script>', html, re.S)[1]
    return json.loads(text)


def pipe_rows(markdown):
    """Rows of a Markdown table as lists of texts."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[text.strip() for text in line.strip("| ").split(" | ")] for line in lines]


def test_build_report__leaderboard__is_that_of_the_markdown_and_of_the_numbers(
    html, data, read_page
):
    shown = read_page(html).tables["board"]
    head, _, *rows = pipe_rows(leaderboard_table(data.leaderboard).to_markdown())
    assert shown == [head, *rows]
    for row, numbers in zip(shown[1:], data.leaderboard.itertuples(), strict=True):
        assert row[2] == f"{numbers.mean_rank:.2f}"
        assert row[5] == f"{numbers.macro_f1:.3f}"
        assert row[9] == f"{numbers.fit_seconds:.1f}"


def test_build_report__scores__are_the_means_of_the_metrics_to_the_printed_digit(
    html, data, read_page
):
    head, *rows = read_page(html).tables["heat"]
    means = data.metrics.groupby(["dataset", "label"])["macro_f1"].mean()
    assert head == ["Model", "D1", "D2", "D3", "D4", "D5", "D6"]
    assert sorted(row[0] for row in rows) == ["DEEP", "NET", "NO_X", "TREE"]
    for label, *texts in rows:
        for dataset, text in zip(data.descriptions["dataset"], texts, strict=True):
            mean = means[dataset, label]
            assert text == ("failed" if np.isnan(mean) else f"{mean:.3f}")


def test_build_report__details__have_every_score_as_the_files_have_it(html, data):
    found = details(html)
    i, j = found["datasets"].index("D3"), found["models"].index("TREE")
    cell = found["cells"][i][j]
    rows = data.metrics.query("dataset == 'd3' and model == 'tree'")
    printed = dict(zip(found["metrics"], cell["values"], strict=True))
    assert printed["Macro F1"] == f"{rows['macro_f1'].mean():.3f} ± {rows['macro_f1'].std():.3f}"
    assert printed["Log loss"] == f"{rows['log_loss'].mean():.3f} ± {rows['log_loss'].std():.3f}"
    assert printed["Seconds of fitting"].startswith(f"{rows['fit_seconds'].mean():.3f} ± ")
    assert cell["repeats"] == 2
    of_control = found["cells"][0][found["models"].index("NET")]
    assert of_control["classes"] == [
        ["no", "3", "0.667", "0.667", "0.667", "0.900"],
        ["yes", "2", "0.500", "0.500", "0.500", "n/a"],
    ]


def test_build_report__failed_cell__is_listed_with_its_sentence(html, read_page):
    assert read_page(html).tables["failed-cells"][1:] == [
        ["D2", "DEEP", "ValueError: no luck & <less>"]
    ]
    found = details(html)
    cell = found["cells"][1][found["models"].index("DEEP")]
    assert (cell["status"], cell["error"], cell["values"]) == (
        "failed", "ValueError: no luck & <less>", [],
    )  # fmt: skip


def test_build_report__confusion_and_calibration__by_hand(html, read_page):
    # Rows 0, 1 and 3 of five are right; the confidences are .95, .55, .58, .95 and .55.
    page = read_page(html)
    matrices = page.tables[None]
    assert ["no", "2", "1"] in matrices
    assert ["yes", "1", "1"] in matrices
    assert ["0.5 to 0.6", "3", "0.560", "0.333", "0.061 to 0.792"] in matrices
    assert ["0.9 to 1.0", "2", "0.950", "1.000", "0.342 to 1.000"] in matrices
    # 3/5 |1/3 - .56| + 2/5 |1 - .95|
    assert any("expected calibration error 0.156" in text for text in page.texts)


def test_build_report__loads_nothing_and_runs_nothing_else(html, read_page):
    page = read_page(html)
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href", "action", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    policy = next(
        a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_build_report__ids__are_unique_and_links_lead_to_them(html, read_page):
    tags = read_page(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for tag, a in tags if tag == "a"]
    assert len(links) > 8
    assert set(links) <= set(ids)
    labelled = [a[name] for _, a in tags for name in ("aria-labelledby", "for") if name in a]
    assert set(labelled) <= set(ids)


def test_build_report__hostile_names__are_text(make_metrics, make_page_data, read_page):
    scores = pd.DataFrame({"net": [0.5, 0.6], HOSTILE: [0.4, np.nan]}, index=["d1", HOSTILE])
    metrics = make_metrics(scores, {"net": "proposed", HOSTILE: "ml"})
    metrics = metrics.assign(
        label=metrics["model"].replace("net", "NET"),
        error=pd.Series(HOSTILE, metrics.index).where(metrics["status"].eq("failed")),
    )
    hostile = make_page_data(metrics, classes=(HOSTILE, "yes"))
    labels = hostile.descriptions.assign(label=hostile.descriptions["dataset"])
    models = {HOSTILE: {"class": HOSTILE, "params": {HOSTILE: HOSTILE}}}
    html = build_report(replace(hostile, descriptions=labels, models=models))

    page = read_page(html)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [a for _, a in page.tags if "onerror" in a]
    assert HOSTILE in {row[0] for row in page.tables["board"]}
    assert HOSTILE in page.tables["heat"][0]
    assert page.tables["failed-cells"][1] == [HOSTILE, HOSTILE, HOSTILE]
    assert page.tables["model-settings"][1][:2] == [HOSTILE, HOSTILE]
    assert any(row[0] == HOSTILE for row in page.tables[None])
    found = details(html)
    assert HOSTILE in found["models"]
    assert HOSTILE in found["datasets"]


def test_build_report__equal_data__equal_pages(html, data):
    assert html == build_report(replace(data, metrics=data.metrics.copy()))


def test_build_report__53_data_sets_and_29_models__below_5_mb(make_metrics, make_page_data):
    rng = np.random.default_rng(0)
    models = ["net", *(f"model_with_a_long_name_{i}" for i in range(28))]
    names = [f"data_set_with_a_long_name_{i}" for i in range(53)]
    scores = pd.DataFrame(rng.uniform(0.2, 0.9, (53, 29)), index=names, columns=models)
    metrics = make_metrics(scores, dict.fromkeys(models, "ml") | {"net": "proposed"}, repeats=1)
    judged = metrics[metrics["model"].isin(models[:3]) & metrics["dataset"].isin(names[:6])]
    big = make_page_data(metrics, judged=judged)
    per_class = pd.concat(
        [big.per_class.assign(dataset=d, model=m) for d in names for m in models for _ in range(3)]
    )
    per_class = per_class.assign(**{"class": [f"class {i % 6}" for i in range(len(per_class))]})
    # As large as a drawing may be, and as a picture of 53 panels is.
    figures = {name: DrawnFigure(bytes(600_000), bytes(250_001)) for name in CAPTIONS}
    html = build_report(replace(big, per_class=per_class, figures=figures))
    assert len(html.encode()) < 5 * 2**20


def test_build_report__nothing_has_a_score__says_so(make_metrics, make_page_data):
    scores = pd.DataFrame({"net": [np.nan, np.nan], "tree": [np.nan, np.nan]}, index=["d1", "d2"])
    metrics = make_metrics(scores, {"net": "proposed", "tree": "ml"}).assign(error="E: bad")
    empty = pd.DataFrame()
    nothing = replace(
        make_page_data(metrics), per_class=empty, confusion=empty, calibration=empty,
        provenance=empty, figures={},
    )  # fmt: skip
    html = build_report(nothing)
    assert "No model has a score: every cell failed or was not run." in html
    assert "The control has no result in this run." in html
    assert "unknown: no cell was run" in html
    assert html.count("E: bad") >= 4


def test_build_report__cells_not_run_and_no_error_at_all__are_listed(make_metrics, make_page_data):
    # As read back from a file: a column of gaps alone is one of numbers.
    scores = pd.DataFrame({"net": [0.5, 0.6], "tree": [0.4, 0.5]}, index=["d1", "d2"])
    metrics = make_metrics(scores, {"net": "proposed", "tree": "ml"}, not_run=[("d1", "tree")])
    html = build_report(make_page_data(metrics.assign(error=np.nan)))
    assert "<li>TREE on D1</li>" in html
    assert "No cell failed." in html


def test_build_report__data_set_without_table__is_named(data):
    settings = {**data.settings, "grid": {"datasets": ["d1", "far_away"], "models": ["net"]}}
    html = build_report(replace(data, settings=settings))
    assert "could not be had or used, and have no cells: far_away." in html


def test_build_report__test_selected__is_starred_and_said(make_metrics, make_page_data, read_page):
    scores = pd.DataFrame({"net": [0.9, 0.8, 0.7], "tree": [0.8, 0.7, 0.6]}, index=list("abc"))
    metrics = make_metrics(scores, {"net": "proposed", "tree": "ml"}, test_selected=["net"])
    page = read_page(build_report(make_page_data(metrics)))
    assert [row[0] for row in page.tables["board"][1:]] == ["NET*", "TREE"]
    assert [row[0] for row in page.tables["heat"][1:]] == ["NET*", "TREE"]
    assert any("epochs chosen by scores on the test part" in text for text in page.texts)


def test_captions__every_figure_but_the_leaderboard__has_one():
    assert set(CAPTIONS) == set(FIGURES) - {"leaderboard"}


@pytest.mark.parametrize(("svg", "kind"), [(b"<svg/>", "svg+xml"), (bytes(250_001), "png")])
def test_build_report__figures__are_drawings_unless_large(data, svg, kind):
    figures = {"figure2_gain": DrawnFigure(b"the png", svg)}
    html = build_report(replace(data, figures=figures))
    content = base64.b64encode(svg if kind == "svg+xml" else b"the png").decode()
    assert f'src="data:image/{kind};base64,{content}"' in html
    assert html.count("<img ") == 1


def test_number__missing__is_said():
    assert (number(0.1235, 3), number(None, 3), number(float("nan"), 1)) == ("0.123", "n/a", "n/a")
    assert len(GAPS) == 6
