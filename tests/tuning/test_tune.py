import numpy as np
import pandas as pd
import pytest
from tests.tuning.probes import (
    SEED,
    Bar,
    bar_spec,
    make_classes,
    make_data,
    make_options,
    network_spec,
)

from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.tuning import tune as tuning
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.tune import score_best, tune

pytestmark = pytest.mark.usefixtures("one_score")

PROTOCOL = EvaluationProtocol(seed=SEED)
NETWORK_SPACE = {
    "temperature": {"low": 0.05, "high": 1, "log": True},
    "n_neighbors": {"low": 1, "high": 9, "type": "int"},
}


def run(tmp_path, data=None, spec=None, protocol=PROTOCOL, told=None, **changes):
    changes = {"repeats": 1, "folds": 2, "n_trials": 5} | changes
    return tune(
        data or make_data(), spec or bar_spec(), protocol, make_options(**changes),
        tmp_path / "study.db", on_trial=lambda *new: None if told is None else told.append(new),
    )  # fmt: skip


def test_tune__bar__comes_near_the_true_one_and_beats_the_first(tmp_path):
    result = run(tmp_path)
    (best,) = result.best
    assert best.split == SEED
    assert abs(best.parameters["bar"]) < 1.5
    assert best.score > best.first_score
    trials = result.trials
    assert trials["score"].max() == best.score
    assert trials["trial"].tolist() == [0, 1, 2, 3, 4]
    assert trials["param_bar"][0] == 1.5
    assert trials["score_1"].tolist() == trials["score"].tolist()
    assert result.importances.to_dict("records") == [
        {"split": SEED, "parameter": "bar", "importance": 1.0}
    ]


def test_tune__test_rows_change__nothing_found_does(tmp_path):
    data = make_data()
    found = run(tmp_path / "a", data, n_trials=3)
    test = data.splits[0].test
    changed = make_data()
    changed.features.loc[test] = 99.0
    changed.labels[test] = 1 - changed.labels[test]
    assert run(tmp_path / "b", changed, n_trials=3).best == found.best
    rows = np.concatenate([index for _, index, _ in Bar.fitted_on])
    assert not set(rows) & set(test)
    train = data.splits[0].train
    changed.labels[train] = 1 - changed.labels[train]  # which does
    assert run(tmp_path / "c", changed, n_trials=3).best != found.best


def test_tune__several_splits__each_has_a_study_of_its_own_training_rows(tmp_path):
    told, protocol = [], EvaluationProtocol(seed=SEED, repeats=2)
    data = make_data(repeats=2)
    result = run(tmp_path, data, protocol=protocol, told=told, n_trials=2)
    assert [best.split for best in result.best] == [SEED, SEED + 1]
    assert [(split, record.number) for split, record in told] == [
        (SEED, 0), (SEED, 1), (SEED + 1, 0), (SEED + 1, 1),
    ]  # fmt: skip
    fitted = [set(index) for _, index, _ in Bar.fitted_on]
    for split, own in zip(data.splits, (fitted[:4], fitted[4:]), strict=True):
        assert set.union(*own) == set(split.train)


def test_tune__network_gone_on_with__trains_only_what_is_new(tmp_path):
    told, data, spec = [], make_classes(), network_spec()
    first = run(tmp_path, data, spec, told=told, n_trials=2, space=NETWORK_SPACE)
    assert first.trials["param_temperature"][0] == 0.2
    assert first.trials["param_n_neighbors"][0] == 5
    more = run(tmp_path, data, spec, told=told, n_trials=4, space=NETWORK_SPACE)
    assert [record.number for _, record in told] == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(more.trials[:2], first.trials)
    assert more.trials["score"].nunique() > 1


def test_tune__other_settings_in_the_same_file__are_refused(tmp_path):
    run(tmp_path, n_trials=1)
    wide = {"bar": {"low": -3, "high": 2}}
    with pytest.raises(TuningError, match=r"tuning\.space\.bar\.low was -2\.0 and is -3\.0"):
        run(tmp_path, space=wide)
    with pytest.raises(TuningError, match=r"model\.params\.fails_above was None and is 3"):
        run(tmp_path, spec=bar_spec(params={"fails_above": 3}))
    with pytest.raises(TuningError, match=r"protocol\.checkpoint was 'last' and is 'validation'"):
        run(tmp_path, protocol=EvaluationProtocol(seed=SEED, checkpoint="validation"))


def test_tune__test_checkpoint__is_not_used_in_the_search(tmp_path, monkeypatch):
    seen = []

    def search(study, validation, *_):
        seen.append(validation.checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "search", search)
    for checkpoint in ("test", "validation"):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / checkpoint, protocol=EvaluationProtocol(checkpoint=checkpoint))
    assert seen == ["last", "validation"]


def test_score_best__both_models__as_cells_of_the_benchmark():
    data = make_data(repeats=2)
    spec = bar_spec(params={"bar": 1.0})
    protocol = EvaluationProtocol(seed=SEED, repeats=2)
    table = score_best(data, spec, protocol, {SEED: {"bar": 0.0}, SEED + 1: {"bar": 0.5}})
    assert table["model"].tolist() == ["default", "tuned"] * 2
    assert table["split"].tolist() == [SEED, SEED, SEED + 1, SEED + 1]
    assert table["macro_f1"][1] == 1.0
    cell = run_cell(data, spec, protocol).record["metrics"]
    assert table[table["model"] == "default"]["mcc"].mean() == pytest.approx(cell["mcc"])
    predicted = data.features["a"][data.splits[1].test] > 0.5
    assert table["accuracy"][3] == (predicted == data.labels[data.splits[1].test]).mean()


def test_score_best__a_model_that_fails__is_told():
    spec = bar_spec(params={"fails_above": 1.0})
    with pytest.raises(TuningError, match="The tuned model of data set 'table' failed on split 7"):
        score_best(make_data(), bar_spec(), PROTOCOL, {SEED: {"bar": 99.0}})
    with pytest.raises(TuningError, match=r"The default model .* the bar is too high"):
        score_best(make_data(), spec, PROTOCOL, {SEED: {"bar": 0.0}})
