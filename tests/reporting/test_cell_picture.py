import re
from xml.etree import ElementTree

import pandas as pd

from qcl_mixnet.reporting.cell_picture import MAX_CURVES, cell_picture

# By hand: class 1 has two rows, of which one is found; its probabilities rank it above all others.
ROWS = pd.DataFrame(
    {
        "y_true": [0, 0, 0, 1, 1],
        "y_pred": [0, 0, 1, 1, 0],
        "proba_0": [0.9, 0.8, 0.7, 0.1, 0.2],
        "proba_1": [0.1, 0.2, 0.3, 0.9, 0.8],
    }
)
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_cell_picture__two_classes__counts_and_average_precision_by_hand():
    picture = cell_picture("KNN on <glass>", ROWS, ["fine", "bad & rare"])
    found = texts(picture)
    assert found[0] == "KNN on <glass>"
    # Rows of the matrix: 2 and 1 of the three fine rows, 1 and 1 of the bad ones.
    assert [text for text in found if re.fullmatch(r"\d", text or "")][:4] == ["2", "1", "1", "1"]
    assert "bad & rare: 1.000 (2 rows)" in found
    assert "fine: 1.000 (3 rows)" in found
    assert len(list(ElementTree.fromstring(picture).iter(f"{SVG}polyline"))) == 2


def test_cell_picture__class_without_test_rows__is_in_the_matrix_and_has_no_curve():
    rows = ROWS.assign(proba_2=0.0)
    found = texts(cell_picture("x", rows, ["a", "b", "c"]))
    assert found.count("c") == 2  # beside its row, below its column
    assert not any(text.startswith("c: ") for text in found)


def test_cell_picture__many_classes__curves_of_the_rarest_and_no_counts():
    labels = [label for label in range(20) for _ in range(label + 1)]
    rows = pd.DataFrame({"y_true": labels, "y_pred": labels})
    for label in range(20):
        rows[f"proba_{label}"] = rows["y_true"].eq(label).astype(float)
    picture = cell_picture("x", rows, [f"class {i}" for i in range(20)])
    curves = re.findall(r">class (\d+): 1\.000", picture)
    assert curves == [str(i) for i in range(MAX_CURVES)]
    assert len(list(ElementTree.fromstring(picture).iter(f"{SVG}polyline"))) == MAX_CURVES
