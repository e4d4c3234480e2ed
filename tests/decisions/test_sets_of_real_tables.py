"""Prediction sets of two real tables: trained on one half, held to the other, 50 times."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qcl_mixnet import PredictionSetWarning, QCLMixNetClassifier, TunedDecisionClassifier
from qcl_mixnet.data.roster import parse_roster
from qcl_mixnet.data.sources import FetchContext

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
N_SEEDS = 50
MODELS = {
    "logistic": lambda seed: TunedDecisionClassifier(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        decision="argmax",
        random_state=seed,
    ),
    "mixnet": lambda seed: QCLMixNetClassifier.recommended(
        n_members=5, epochs=30, decision="argmax", random_state=seed, n_jobs=1, device="cpu"
    ),
}


@cache
def table(name):
    text = (ROOT / "conf" / "base" / "datasets.yml").read_text(encoding="utf-8")
    source = parse_roster(yaml.safe_load(text)["datasets"])[name].sources[0]
    frame = source.load(FetchContext(dataset=name, downloads=ROOT, project_root=ROOT))
    return frame.drop(columns="target"), frame["target"].to_numpy()


def mean_report(name, model, n_seeds=N_SEEDS):
    """Mean of the coverage reports of halves that the model was not trained on."""
    X, y = table(name)
    total = 0.0
    for seed in range(n_seeds):
        X_train, X_new, y_train, y_new = train_test_split(
            X, y, test_size=0.5, stratify=y, random_state=seed
        )
        total += MODELS[model](seed).fit(X_train, y_train).coverage_report(X_new, y_new)
    return total / n_seeds


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("name", ["abalone", "wine_quality_red"])
def test_coverage__every_class__is_in_the_binomial_band_or_above(name, model):
    report = mean_report(name, model)
    _, counts = np.unique(table(name)[1], return_counts=True)
    # Halves share rows, so that 50 of them say no more than all rows of the class.
    low = 0.9 - 3 * np.sqrt(0.09 / counts)
    assert (report["coverage"].to_numpy()[:-1] >= low).all()
    assert (report["coverage"].to_numpy()[:-1][counts > 100] <= 0.97).all()


def test_predict_set__classes_of_a_few_wines__say_what_they_can_have():
    X, y = table("wine_quality_red")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PredictionSetWarning)
        model = MODELS["logistic"](0).fit(X, y)
        assert model.predict_set(X, coverage=0.9)[:, 0].mean() < 1  # 10 rows are enough
    with pytest.warns(PredictionSetWarning, match=r"3 \(10 rows, enough for 0.909\)"):
        assert model.predict_set(X, coverage=0.95)[:, 0].all()
