"""A trial by groups: the folds inside a model keep them together, for the winner, too."""

import numpy as np
import pandas as pd

from qcl_mixnet.estimators.tuned_decision import TunedDecisionClassifier
from qcl_mixnet.trial.folder import keep_winner
from qcl_mixnet.trial.opening import TableOptions, open_table
from qcl_mixnet.trial.plan import TrialOptions
from qcl_mixnet.trial.trial import run_trial


def test_trial__decisions_are_tuned_on_folds_of_whole_groups(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"patient": np.repeat(np.arange(30), 4), "row": np.arange(120) / 7})
    frame["x"] = rng.normal(size=120)
    frame["y"] = np.where(frame["x"] > 0.5, "ill", "well")
    frame.to_csv(tmp_path / "p.csv", index=False)
    splits_of_fits = []
    splits = TunedDecisionClassifier._splits

    def noted(self, X, *args):
        drawn = splits(self, X, *args)
        splits_of_fits.append([(X.iloc[train], X.iloc[test]) for train, test in drawn])
        return drawn

    monkeypatch.setattr(TunedDecisionClassifier, "_splits", noted)
    table = open_table(tmp_path / "p.csv", TableOptions(target="y", groups="patient"))
    options = TrialOptions(models=["logistic_regression_tuned"], folds=3, repeats=1)
    trial = run_trial(table, options)
    keep_winner(trial, tmp_path)
    assert len(splits_of_fits) == 4  # three folds, and the winner on all rows
    for fit in splits_of_fits:
        for train, test in fit:
            patients = [set((part["row"] * 7).round().astype(int) // 4) for part in (train, test)]
            assert not set.intersection(*patients)
