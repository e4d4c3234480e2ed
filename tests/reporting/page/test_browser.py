"""The page in a browser: sorted, filtered and opened, by keys and on a phone."""

import pytest

from qcl_mixnet.reporting.page.colors import contrast

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('#{} tbody tr')].filter(row => !row.hidden)"


@pytest.fixture
def page(browser, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.open(path)
    return browser


def names(page, table="board"):
    return page.ask(f"{ROWS.format(table)}.map(row => row.cells[0].textContent)")


def column(page, place):
    return page.ask(f"{ROWS.format('board')}.map(row => row.cells[{place}].textContent)")


def active(page):
    return page.ask("document.activeElement.textContent")


def test_page__opened__no_complaint_and_no_request_to_anywhere(page):
    assert page.ask("document.title") == "QCL-MixNet: report of a run"
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


def test_page__header_pressed__sorts_by_numbers_both_ways_and_says_so(page):
    press = "document.querySelectorAll('#board thead th button')[%d].click()"
    sorted_by = "document.querySelectorAll('#board thead th')[%d].getAttribute('aria-sort')"
    for place in (5, 9, 2):
        page.ask(press % place)
        rising = column(page, place)
        assert rising == sorted(rising, key=float)
        assert page.ask(sorted_by % place) == "ascending"
        page.ask(press % place)
        assert column(page, place) == rising[::-1]
        assert page.ask(sorted_by % place) == "descending"
    assert page.ask("document.querySelectorAll('#board th[aria-sort]').length") == 1
    page.ask(press % 0)
    assert column(page, 0) == ["DEEP", "NET", "TREE"]
    assert page.complaints == []


def test_page__filter__hides_models_everywhere_and_counts_them(page):
    assert sorted(names(page)) == ["DEEP", "NET", "TREE"]
    page.ask("document.querySelector('#filter-name').focus()")
    page.write("ee")
    assert sorted(names(page)) == ["DEEP", "TREE"]
    assert sorted(names(page, "heat")) == ["DEEP", "TREE"]
    points = (
        "[...document.querySelectorAll('.point')].filter(p => !p.hasAttribute('hidden')).length"
    )
    assert page.ask(points) == 2
    assert page.ask("document.querySelector('#filter-count').textContent") == (
        "2 of 3 models in the leaderboard"
    )
    page.ask("document.querySelector('#filter input[value=ml]').click()")
    assert names(page) == ["DEEP"]
    page.ask("document.querySelector('#filter button[type=reset]').click()")
    page.ask("new Promise(done => setTimeout(done, 50))")
    assert len(names(page)) == 3
    assert page.complaints == []


def test_page__score_clicked__details_open_and_close(page):
    page.ask("document.querySelector('#heat tbody td').click()")
    assert page.ask("document.querySelector('#details').open")
    title = page.ask("document.querySelector('#details-title').textContent")
    assert title == f"{names(page, 'heat')[0]} on D1"
    text = page.ask("document.querySelector('#details-body').textContent")
    assert "Macro F1" in text
    assert page.ask("document.querySelector('#heat tbody td').textContent") in text
    page.press("Escape")
    assert not page.ask("document.querySelector('#details').open")
    assert page.complaints == []


def test_page__keys_alone__reach_a_score_and_its_details(page):
    page.ask("document.querySelector('#heat td[tabindex=\"0\"]').focus()")
    texts = "[...row.cells].slice(1).map(cell => cell.textContent)"
    grid = page.ask(f"{ROWS.format('heat')}.map(row => {texts})")
    page.press("ArrowRight")
    page.press("ArrowDown")
    assert active(page) == grid[1][1]
    assert page.ask("document.querySelectorAll('#heat td[tabindex=\"0\"]').length") == 1
    page.press("Enter")
    assert page.ask("document.querySelector('#details').open")
    assert page.ask("document.querySelector('#details-title').textContent").endswith(" on D2")
    page.press("Escape")
    assert active(page) == grid[1][1]


def test_page__failed_cell__its_details_have_the_error(page):
    cell = "[...document.querySelectorAll('#heat td')].find(c => c.textContent === 'failed')"
    page.ask(f"{cell}.click()")
    text = page.ask("document.querySelector('#details-body').textContent")
    assert "ValueError: no luck & <less>" in text


def test_page__tab_key__reaches_sorting_filter_and_data_set(page):
    reached = set()
    for _ in range(80):
        page.press("Tab")
        reached.add(
            page.ask("document.activeElement.id || document.activeElement.parentNode.tagName")
        )
    assert {"theme", "filter-name", "TH", "colour-by", "panel-choice"} <= reached


def test_page__data_set_chosen__shows_that_panel(page):
    shown = (
        "[...document.querySelectorAll('.panel')].filter(panel => !panel.hidden)"
        ".map(panel => panel.querySelector('h3').firstChild.textContent.trim())"
    )
    assert page.ask(shown) == ["D1"]
    page.ask(
        "{const c = document.querySelector('#panel-choice'); c.value = '3';"
        " c.dispatchEvent(new Event('change'));}"
    )
    assert page.ask(shown) == ["D4"]


def test_page__colours_by_distance__the_best_is_the_darkest(page):
    page.ask(
        "{const c = document.querySelector('#colour-by'); c.value = 'gap';"
        " c.dispatchEvent(new Event('change'));}"
    )
    best = "getComputedStyle(document.querySelector('#heat .gap-0')).backgroundColor"
    legend = "getComputedStyle(document.querySelector('[data-legend=gap] .gap-0')).backgroundColor"
    assert page.ask(best) == page.ask(legend) != "rgba(0, 0, 0, 0)"
    assert page.ask("document.querySelector('[data-legend=level]').hidden")


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_page__any_width__does_not_move_sideways(page, width):
    page.look(width, 844)
    assert page.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page__both_schemes__text_can_be_read(page, scheme):
    page.look(scheme=scheme)
    colors = page.ask(
        "(() => {const s = getComputedStyle(document.documentElement);"
        " return Object.fromEntries(['ground', 'raised', 'ink', 'soft', 'link', 'mark']"
        ".map(n => [n, s.getPropertyValue('--' + n).trim()]));})()"
    )
    for ground in ("ground", "raised"):
        for text in ("ink", "soft", "link"):
            assert contrast(colors[ground], colors[text]) >= 4.5, (ground, text)
    assert contrast(colors["mark"], colors["ink"]) >= 4.5
    dark = page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert dark == (scheme == "dark")


def test_page__theme_chosen__is_not_the_systems(page):
    page.ask(
        "{const c = document.querySelector('#theme'); c.value = 'dark';"
        " c.dispatchEvent(new Event('change'));}"
    )
    assert page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    page.ask("localStorage.clear()")
    assert page.complaints == []
