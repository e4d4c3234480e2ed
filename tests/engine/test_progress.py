import numpy as np
import pandas as pd
import pytest
import torch
import tqdm.auto
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine import members
from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.engine.progress import EpochReport
from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.model.objective import HybridObjective


def make_table():
    return make_classification(40, 5, n_informative=4, n_redundant=0, random_state=0)


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 3, "random_state": 0, "n_jobs": 1} | parameters)


@pytest.fixture
def stop(monkeypatch):
    """Let an exception strike in an epoch of a group: Ctrl-C, say."""
    start_epoch = HybridObjective.start_epoch

    def at(epoch, group=1, error=KeyboardInterrupt):
        seen = {}

        def start(self, order):
            seen[id(self)] = seen.get(id(self), [self, 0])  # the object is held: ids are not reused
            seen[id(self)][1] += 1
            if seen[id(self)][1] == epoch and len(seen) == group:
                raise error
            return start_epoch(self, order)

        monkeypatch.setattr(HybridObjective, "start_epoch", start)

    return at


@pytest.fixture
def bars(monkeypatch):
    """Progress bars that were made."""
    made = []

    class Noted(tqdm.auto.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)
            self.closed = False

        def close(self):
            super().close()
            self.closed = True

    monkeypatch.setattr(tqdm.auto, "tqdm", Noted)
    return made


@pytest.mark.parametrize("verbose", [1, True, 2])
def test_verbose__positive__shows_epochs_and_loss_on_stderr(capsys, verbose):
    make_model(verbose=verbose).fit(*make_table())
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "loss=" in err
    assert "macro_f1" not in err


def test_verbose__with_held_out_rows__shows_their_score(capsys):
    model = make_model(verbose=1, checkpoint="validation").fit(*make_table())
    last = model.history_["macro_f1"].iloc[-1]
    assert f"macro_f1={last:.3g}" in capsys.readouterr().err


@pytest.mark.parametrize("verbose", [0, False])
def test_verbose__zero__is_silent(capsys, verbose):
    make_model(verbose=verbose).fit(*make_table())
    assert capsys.readouterr() == ("", "")


def test_verbose__predictions_are_those_of_a_silent_training(capsys):
    X, y = make_table()
    loud, silent = (make_model(verbose=v).fit(X, y).predict_proba(X) for v in (1, 0))
    np.testing.assert_array_equal(loud, silent)


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), KeyboardInterrupt()])
def test_verbose__error__closes_the_bar(bars, capsys, stop, error):
    stop(1, error=error)
    with pytest.raises(type(error)):
        make_model(verbose=1).fit(*make_table())
    assert [bar.closed for bar in bars] == [True]


def test_verbose__divergence_in_the_first_epoch__closes_the_bar(bars, capsys, monkeypatch):
    monkeypatch.setattr(
        HybridObjective,
        "backward",
        lambda self, batch, gradients: torch.full((len(self.term_names), 1), torch.nan),
    )
    with pytest.raises(TrainingDivergedError):
        make_model(verbose=1).fit(*make_table())
    assert [bar.closed for bar in bars] == [True]


def test_epoch_report__counts_epochs_and_rounds_what_it_shows(capsys):
    with EpochReport(4, verbose=1) as report:
        report({"epoch": 1, "loss": 0.123456, "focal": 9.0})
        report({"epoch": 2, "loss": 1234.5, "macro_f1": 0.98765})
    err = capsys.readouterr().err
    assert "2/4" in err
    assert "loss=1.23e+03, macro_f1=0.988" in err
    assert "focal" not in err


def test_interrupt__after_the_first_epoch__keeps_a_fitted_model(stop):
    X, y = make_table()
    expected = make_model(epochs=9, max_learning_rate=None)
    stop(3)
    with pytest.raises(KeyboardInterrupt, match=r"after epoch 2 of 9; .* kept \(epoch 2\)"):
        expected.fit(X, y)
    assert expected.interrupted_
    assert expected.best_epoch_ == 2
    assert expected.history_["epoch"].tolist() == [1, 2]
    assert expected.diverged_at_ is None
    assert set(expected.predict(X)) <= {0, 1}


def test_interrupt__keeps_what_a_shorter_training_gives(stop):
    # Without a schedule the first epochs do not depend on how many there are to be.
    X, y = make_table()
    shorter = make_model(epochs=2, max_learning_rate=None).fit(X, y)
    assert not shorter.interrupted_
    stop(3)
    model = make_model(epochs=50, max_learning_rate=None)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), shorter.predict_proba(X))


def test_interrupt__with_held_out_rows__keeps_the_best_so_far(stop):
    X, y = make_table()
    stop(5)
    model = make_model(epochs=9, checkpoint="validation")
    with pytest.raises(KeyboardInterrupt) as caught:
        model.fit(X, y)
    assert len(model.history_) == 4
    assert model.best_epoch_ == model.history_["macro_f1"].idxmax() + 1
    assert f"(epoch {model.best_epoch_})" in str(caught.value)


def test_interrupt__ensemble__keeps_every_network(stop):
    X, y = make_table()
    stop(2)
    model = make_model(n_members=3, bagging="folds", decision="macro_f1")
    with pytest.raises(KeyboardInterrupt, match=r"after epoch 1 of 3.* is fitted\.$"):
        model.fit(X, y)
    assert model.interrupted_
    assert model.best_epoch_ == [1, 1, 1]
    assert np.isfinite(model.out_of_fold_proba_).all()
    assert np.isfinite(model.predict_proba(X)).all()


def test_interrupt__of_networks_for_out_of_fold_alone__is_told(stop):
    X, y = make_table()
    stop(2, group=2)
    model = make_model(calibrate=True)
    with pytest.raises(KeyboardInterrupt, match=r"1 of 3; .* calibrate=True .* could not be tuned"):
        model.fit(X, y)
    assert model.interrupted_
    assert model.best_epoch_ == 3  # its own network had finished


@pytest.mark.parametrize("parameters", [{}, {"n_members": 2}, {"checkpoint": "validation"}])
def test_interrupt__in_the_first_epoch__is_raised(stop, parameters):
    model = make_model(**parameters)
    stop(1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*make_table())
    assert not hasattr(model, "networks_")


def test_interrupt__while_an_epoch_is_shown__keeps_that_epoch(monkeypatch):
    def strike(self, record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(members.EpochReport, "__call__", strike)
    model = make_model()
    with pytest.raises(KeyboardInterrupt, match="after epoch 2 of 3"):
        model.fit(*make_table())
    assert model.best_epoch_ == 2


def test_interrupt__puts_the_threads_back(stop):
    before = torch.get_num_threads()
    stop(2)
    with pytest.raises(KeyboardInterrupt):
        make_model(n_jobs=before + 1).fit(*make_table())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("error_score", ["raise", np.nan])
def test_interrupt__in_a_cross_validation__stops_it(stop, error_score):
    X, y = make_table()
    stop(2, group=2)  # the second fold's
    with pytest.raises(KeyboardInterrupt, match="after epoch 1 of 3"):
        cross_val_score(make_model(), X, y, cv=3, error_score=error_score)


def test_interrupt__in_a_search__stops_it(stop):
    X, y = make_table()
    stop(3)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(make_model(), {"epochs": [3, 4]}, cv=2).fit(X, y)


def test_interrupt__fit_together__keeps_what_was_trained(stop):
    X, y = make_table()
    models = [make_model(epochs=3), make_model(epochs=4), make_model(epochs=5)]
    stop(2, group=2)
    with pytest.raises(KeyboardInterrupt, match="after epoch 1 of 4"):
        QCLMixNetClassifier.fit_together(models, [(X, y)] * 3)
    assert [getattr(model, "interrupted_", None) for model in models] == [False, True, None]


@pytest.mark.parametrize("repeats", [1, 2])
def test_run_cell__interrupted_model__stops_the_run(stop, repeats):
    X, y = make_table()
    rows = np.random.default_rng(0).permutation(len(y))
    splits = [Split(rows[10:], rows[:10], seed) for seed in range(repeats)]
    data = CellData(pd.DataFrame(X, columns=list("abcde")), y.astype(np.int64), 2, splits, "f")
    spec = ModelSpec.model_validate(
        {
            "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier",
            "params": {"epochs": 3, "device": "cpu"},
            "preprocess": False,
            "family": "proposed",
            "label": "Q",
        }
    )
    protocol = EvaluationProtocol(seed=0, test_size=0.25, folds=2, repeats=repeats)
    assert run_cell(data, spec, protocol).record["error"] is None
    stop(2)
    with pytest.raises(KeyboardInterrupt):
        run_cell(data, spec, protocol)
