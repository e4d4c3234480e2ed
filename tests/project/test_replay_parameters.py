"""The section `replay` of the parameters, and what a run tells of a replay."""

import pandas as pd
import pytest
from mlflow.utils.validation import _validate_metric_name
from rich.console import Console
from tests.project.conftest import GOOD

from qcl_mixnet.project.hooks import replay_metrics, tracked_parameters
from qcl_mixnet.project.parameters import ConfigurationError, parse_configuration
from qcl_mixnet.project.report_folders import report_folders
from qcl_mixnet.project.summary import replay_table


def parse(**replay):
    return parse_configuration({**GOOD, "replay": replay})


@pytest.mark.parametrize(
    ("replay", "told"),
    [
        ({"repeat": 2}, "Unknown parameter 'replay.repeat' (did you mean 'repeats'?), got 2"),
        (
            {"candidates": {"waves": {"network": {"entangel": False}}}},
            "Unknown parameter 'replay.candidates.waves.network.entangel' (did you mean "
            "'entangle'?), got False",
        ),
        (
            {"candidates": {"waves": {"base": "wave"}}},
            "Parameter 'replay.candidates.waves': base 'wave' is no kind of the portfolio",
        ),
        (
            {"datasets": "glas"},
            "Unknown data set 'glas' (did you mean 'glass'?) in replay.datasets",
        ),
    ],
)
def test_parse__bad_replay__is_one_sentence(replay, told):
    with pytest.raises(ConfigurationError) as caught:
        parse(**replay)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_report_folders__replay__what_it_reads_is_in_the_name():
    before = report_folders(parse(), "test")
    assert before["replay"].startswith("replay/test-")
    for replay in ({"repeats": 2}, {"datasets": "glass"}, {"only": "waves"}):
        found = report_folders(parse(**replay), "test")
        assert {kind for kind in found if found[kind] != before[kind]} == {"replay"}
    named = parse_configuration({**GOOD, "reports": {"replay": "mine"}})
    assert report_folders(named, None)["replay"] == "replay/mine"


DESIGNS = pd.DataFrame(
    {
        "design": ["greedy", "waves"], "log_loss": [0.5, float("nan")],
        "macro_f1_argmax": [0.61234, float("nan")], "macro_f1_tuned": [0.7, float("nan")],
        "mean_rank": [1.0, 2.0],
    }
)  # fmt: skip


def test_replay_metrics__scores_by_design():
    found = replay_metrics(DESIGNS)
    for name in found:
        _validate_metric_name(name)
    assert found["replay_log_loss/greedy"] == 0.5
    assert found["replay_mean_rank/waves"] == 2
    assert len(found) == 8


def test_tracked_parameters__candidates_by_their_names():
    replay = {"repeats": 2, "candidates": {"a": {"base": "waves"}, "b": {}}, "parts": {}}
    given = {"grid": {"datasets": ["glass"]}, "replay": replay}
    assert tracked_parameters(given) == {
        "grid": {"datasets": ["glass"]},
        "replay": {"repeats": 2, "candidates": "a, b", "parts": ""},
    }
    assert tracked_parameters({"grid": {}}) == {"grid": {}}


def test_replay_table__a_line_for_every_design():
    console = Console(width=100)
    with console.capture() as captured:
        console.print(replay_table(DESIGNS))
    lines = [line.split() for line in captured.get().splitlines()]
    assert ["greedy", "0.5000", "0.6123", "0.7000", "1.00"] in lines
    assert ["waves", "n/a", "n/a", "n/a", "2.00"] in lines
