"""What a search leaves behind, for people and for the next run: entries of models, and scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.tuning.cross_validation import with_parameters
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.tune import DEFAULT, TUNED, Best


def model_entries(dataset: str, spec: ModelSpec, best: Sequence[Best]) -> dict[str, Any]:
    """Write the tuned model of every split as an entry of the roster of models.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    spec : ModelSpec
        What was tuned.
    best : sequence of Best

    Returns
    -------
    dict
        `{"models": {"tuned_<dataset>_<split>": {"class": ..., "params": ...}}}`; as YAML, a file
        of `conf/local/models/`.
    """
    part = re.sub(r"[^a-z0-9_]", "_", dataset.lower())
    entries = {}
    for found in best:
        label = f"{spec.label}, tuned on {dataset} (split {found.split})"
        tuned = with_parameters(spec, found.parameters).model_copy(update={"label": label})
        entry = tuned.model_dump(mode="json", by_alias=True, exclude={"grid"})
        entries[f"tuned_{part}_{found.split}"] = entry
    return {"models": entries}


def best_parameters(entries: Mapping[str, Any], options: TuningOptions) -> dict[int, dict]:
    """Read the tuned parameters back, by the seed of the split.

    Parameters
    ----------
    entries : mapping
        Of `model_entries`.
    options : TuningOptions
        Whose space says which parameters were tuned.
    """
    return {
        int(name.rpartition("_")[2]): {name: entry["params"][name] for name in options.dimensions}
        for name, entry in entries["models"].items()
    }


def with_cross_validated_scores(
    scores: pd.DataFrame, trials: pd.DataFrame, options: TuningOptions
) -> pd.DataFrame:
    """Put the score by which the search chose beside those of the test part.

    Parameters
    ----------
    scores : DataFrame
        Of `qcl_mixnet.tuning.tune.score_best`.
    trials : DataFrame
        Of `qcl_mixnet.tuning.tune.TuningResult`.
    options : TuningOptions

    Returns
    -------
    DataFrame
        With `cv_<metric>`, `trial` and `trials` after the first columns. Trial 0 stands for the
        default model, whose values it has where the space holds them.
    """
    complete = trials[trials["state"] == "complete"]
    ascending = [not options.higher_is_better, True]
    ranked = complete.sort_values(["score", "trial"], ascending=ascending)
    chosen = {
        (split, model): rows.iloc[0]
        for model, table in ((DEFAULT, trials[trials["trial"] == 0]), (TUNED, ranked))
        for split, rows in table.groupby("split")
    }
    keys = list(zip(scores["split"], scores["model"], strict=True))
    table = scores.copy()
    table.insert(3, f"cv_{options.metric}", [chosen[key]["score"] for key in keys])
    table.insert(4, "trial", [int(chosen[key]["trial"]) for key in keys])
    counts = trials.groupby("split").size()
    table.insert(5, "trials", [int(counts[split]) for split, _ in keys])
    return table
