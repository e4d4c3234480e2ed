import pandas as pd
import pytest

from qcl_mixnet.reporting.page.origins import model_rows, origin_facts, setting_rows


def provenance(**columns):
    frame = pd.DataFrame(
        {
            "dataset": "d", "model": ["a", "b", "c"], "status": "ok", "seconds": [1.0, 2.0, 3.0],
            "finished_at": ["2026-01-03", "2026-01-01", "2026-01-02"], "environment": "base",
            "git_commit": "abc", "machine": "Linux", "devices": ["cpu", "cpu", ""],
            "version_numpy": "2.4",
        }
    )  # fmt: skip
    return frame.assign(**columns)


def test_origin_facts__one_run__one_value_each():
    assert origin_facts(provenance()) == [
        ("Results", "3 cells, computed from 2026-01-01 to 2026-01-03"),
        ("Computing time", "6.0 seconds, added up over all cells"),
        ("Environment", "base"),
        ("Commit", "abc"),
        ("Machine", "Linux"),
        ("Device", "cpu (2 cells); unknown (1 cell)"),
        ("Versions", "numpy 2.4"),
    ]


def test_origin_facts__cells_of_several_commits__are_told_apart():
    facts = dict(origin_facts(provenance(git_commit=["x", "y", "y"], version_numpy="2.4")))
    assert facts["Commit"] == "y (2 cells); x (1 cell)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(19.0, "57.0 seconds"), (20.0, "1.0 minutes"), (200.0, "10.0 minutes"), (3000, "2.5 hours")],
)
def test_origin_facts__time__in_a_unit_that_can_be_read(seconds, text):
    facts = dict(origin_facts(provenance(seconds=seconds)))
    assert facts["Computing time"].startswith(text)


def test_origin_facts__failed_cells_alone__have_no_device():
    assert dict(origin_facts(provenance(devices="")))["Device"] == "unknown"


def test_origin_facts__nothing_run__says_so():
    assert origin_facts(pd.DataFrame()) == [("Results", "unknown: no cell was run")]


def test_setting_rows__values__are_written_out():
    settings = {"grid": {"datasets": ["a", "b"]}, "protocol": {"seed": 42, "checkpoint": "last"}}
    assert setting_rows(settings) == [
        ("grid.datasets", "a, b"), ("protocol.seed", "42"), ("protocol.checkpoint", "last"),
    ]  # fmt: skip


def test_model_rows__what_an_entry_sets():
    spec = {
        "class": "a.B", "label": "B", "family": "ml", "params": {"x": "é"}, "grid": None,
        "preprocess": True, "decision": "argmax",
    }  # fmt: skip
    assert model_rows({"b": spec}) == [
        ("b", "a.B", 'params: {"x": "é"}; preprocess: true; decision: argmax')
    ]
