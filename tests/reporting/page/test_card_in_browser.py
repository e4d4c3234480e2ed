"""A model card in a browser: its explorer moves, by keys and on a phone."""

import json

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from qcl_mixnet import model_card, operating_points

pytestmark = pytest.mark.browser

HOSTILE = "<script>alert(1)</script>"
N = 400


@pytest.fixture(scope="module")
def scored():
    """Labels of test rows, their probabilities, and the card's file."""
    X, codes = make_classification(2 * N, weights=[0.9], flip_y=0.05, random_state=0)
    y = np.array(["fine", HOSTILE])[codes]
    model = LogisticRegression().fit(X[:N], y[:N])
    return model, X[N:], y[N:]


@pytest.fixture
def page(browser, scored, tmp_path):
    browser.open(model_card(*scored, tmp_path / "card.html"))
    return browser


def value(page, name):
    return page.ask(f"document.querySelector('[data-value={json.dumps(name)}]').textContent")


def enter(page, field, text):
    page.ask(
        f"{{const f = document.querySelector('#{field}'); f.value = '{text}';"
        " f.dispatchEvent(new Event('input'));}"
    )


def place(page):
    return int(page.ask("document.querySelector('#threshold').value"))


def expected(scored, at, costs=None):
    model, X, y = scored
    return operating_points(
        y, model.predict_proba(X), positive=HOSTILE, thresholds=[at], n_bootstraps=1, costs=costs
    ).iloc[0]


def test_card__opened__no_complaint_and_no_request_to_anywhere(page):
    assert page.ask("document.title") == "Model card: LogisticRegression"
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    chosen = "document.querySelector('#class-choice').selectedOptions[0].textContent"
    assert page.ask(chosen) == HOSTILE


@pytest.mark.parametrize("at", [0.05, 0.2, 0.5, 0.8])
def test_card__threshold__has_the_scores_of_operating_points(page, scored, at):
    enter(page, "threshold-number", at)
    enter(page, "cost-missed", 7)
    enter(page, "cost-alarm", 2)
    found = expected(scored, at, {HOSTILE: 7, "fine": 2})
    for name in ("precision", "recall", "f1"):
        assert value(page, name) == f"{found[name]:.3f}"
    assert value(page, "alerts") == f"{found['alerts_per_1000']:.1f}"
    assert float(value(page, "cost").replace(",", "")) == pytest.approx(found["cost_per_1000"])
    assert page.complaints == []


def test_card__start__has_the_scores_of_the_table(page):
    texts = page.ask(
        "[...document.querySelectorAll('#class-scores tbody tr')].map("
        "row => [...row.cells].map(cell => cell.firstChild.textContent))"
    )
    row = next(cells for cells in texts if cells[0] == HOSTILE)
    assert [value(page, name) for name in ("precision", "recall", "f1")] == row[3:6]


def test_card__halfway_between_two_numbers__is_printed_as_python_does(page):
    page.ask("document.querySelector('#best-f1').click()")
    for k in range(17):
        text = page.ask(
            f"(() => {{const value = {k} / 16; const half = Math.abs((value * 16) % 2) === 1;"
            " return (half ? 2 * Math.round(500 * value) / 1000 : value).toFixed(3);})()"
        )
        assert text == f"{k / 16:.3f}"


def test_card__keys_alone__move_the_threshold_and_the_marks(page):
    mark = "document.querySelector('.panel:not([hidden]) [data-kind=roc] .here')"
    page.ask("document.querySelector('#threshold').focus()")
    before, at = place(page), page.ask(f"{mark}.getAttribute('cy')")
    for _ in range(12):
        page.press("ArrowRight")
    assert place(page) == before + 12
    assert float(page.ask(f"{mark}.getAttribute('cy')")) > float(at)
    assert page.ask("document.querySelector('#threshold').getAttribute('aria-valuetext')") == value(
        page, "threshold"
    )


def test_card__lowest_cost__is_that_of_a_loop(page, scored):
    enter(page, "cost-missed", 25)
    page.ask("document.querySelector('#cheapest').click()")
    model, X, y = scored
    p, positive = model.predict_proba(X)[:, 0], y == HOSTILE
    costs = [
        25 * (positive & (p < t)).sum() + (~positive & (p >= t)).sum() for t in [*np.unique(p), 2]
    ]
    assert float(value(page, "cost").replace(",", "")) == 1000 * min(costs) / N


def test_card__above_all_thresholds__no_alert_and_no_precision(page):
    page.ask(
        "{const s = document.querySelector('#threshold'); s.value = s.max;"
        " s.dispatchEvent(new Event('input'));}"
    )
    assert (value(page, "precision"), value(page, "hits")) == ("n/a", "0")
    assert value(page, "threshold") == "Above all probabilities: no alert"


def test_card__class_chosen__shows_its_panel(page):
    page.ask(
        "{const c = document.querySelector('#class-choice'); c.value = '1';"
        " c.dispatchEvent(new Event('change'));}"
    )
    shown = (
        "[...document.querySelectorAll('.panel')].filter(panel => !panel.hidden)"
        ".map(panel => panel.querySelector('h3').firstChild.textContent.trim())"
    )
    assert page.ask(shown) == ["fine"]


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_card__any_width__does_not_move_sideways(page, width):
    page.look(width, 844)
    assert page.ask("document.documentElement.scrollWidth") <= width


def test_card__theme_chosen__is_dark(page):
    page.ask(
        "{const c = document.querySelector('#theme'); c.value = 'dark';"
        " c.dispatchEvent(new Event('change'));}"
    )
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    page.ask("localStorage.clear()")
    assert page.complaints == []
