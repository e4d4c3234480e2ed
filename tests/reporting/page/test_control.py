import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.page.control import MOST_CLASSES, control_panels, tick_places

DESCRIPTIONS = pd.DataFrame({"dataset": ["d", "e"], "label": ["Dee", "Ee"]})


def confusion(counts, dataset="d"):
    names = [f"c{i}" for i in range(len(counts))]
    return pd.DataFrame(
        {
            "dataset": dataset, "model": "net", "true": np.repeat(names, len(names)),
            "predicted": np.tile(names, len(names)), "rows": np.ravel(counts),
        }
    )  # fmt: skip


def calibration(dataset="d"):
    return pd.DataFrame(
        {
            "dataset": dataset, "model": "net", "bin": [5, 9], "rows": [3, 1],
            "confidence": [0.5, 0.95], "correct": [0.0, 1.0], "correct_low": [0.0, 0.2],
            "correct_high": [0.6, 1.0],
        }
    )  # fmt: skip


def test_control_panels__small_matrix__shares_of_rows_give_the_levels():
    (panel,) = control_panels(confusion([[3, 1], [0, 0]]), calibration(), DESCRIPTIONS)
    assert panel.label == "Dee"
    assert panel.n_rows == 4
    # 3/4 and 1/4 of the first class; nothing is a share of no rows.
    assert panel.matrix == (("c0", ((3, 7), (1, 2))), ("c1", ((0, 0), (0, 0))))
    assert panel.pairs == ()
    assert panel.error == "0.388"  # (3 * 0.5 + 0.05) / 4 = 0.3875


def test_control_panels__bins__lie_in_the_chart():
    (panel,) = control_panels(confusion([[4]]), calibration(), DESCRIPTIONS)
    (left, _, low), (right, _, high) = (
        (x, x, y) for _, x, y in (tick_places()[0], tick_places()[-1])
    )
    first, second = panel.bins
    assert first.x == pytest.approx((left + right) / 2, abs=0.1)
    assert first.y == low
    assert second.y == second.high == high
    assert second.low > second.high  # down the page
    assert first.cells == ("0.5 to 0.6", "3", "0.500", "0.000", "0.000 to 0.600")


def test_control_panels__too_many_classes__the_commonest_confusions():
    counts = np.diag(np.full(MOST_CLASSES + 1, 5))
    counts[0, 1], counts[2, 0] = 2, 9
    (panel,) = control_panels(confusion(counts), calibration(), DESCRIPTIONS)
    assert panel.matrix == ()
    assert panel.pairs == (("c2", "c0", 9), ("c0", "c1", 2))


def test_control_panels__data_sets__by_themselves():
    both = pd.concat([confusion([[1]]), confusion([[2]], "e")])
    panels = control_panels(both, calibration("e"), DESCRIPTIONS)
    assert [panel.label for panel in panels] == ["Dee", "Ee"]
    assert [len(panel.bins) for panel in panels] == [0, 2]
    assert panels[0].error == "n/a"


def test_control_panels__control_not_run__none():
    assert control_panels(pd.DataFrame(), pd.DataFrame(), DESCRIPTIONS) == []
