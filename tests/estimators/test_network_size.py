"""Wide tables: attention of low rank above a width, and a refusal where memory is short."""

import numpy as np
import onnxruntime
import pytest
import torch

from qcl_mixnet import QCLMixNetClassifier, QCLMixNetPlusClassifier
from qcl_mixnet.estimators import network_size
from qcl_mixnet.estimators.plus import training
from qcl_mixnet.model import network
from qcl_mixnet.model.network import ATTENTION_RANK, FULL_ATTENTION_WIDTH


def make_table(n_columns, n_rows=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, n_columns)), np.arange(n_rows) % 2


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 2, "random_state": 0, **parameters})


@pytest.fixture
def narrow(monkeypatch):
    """Six columns are many, and the rank is two."""
    monkeypatch.setattr(network, "FULL_ATTENTION_WIDTH", 5)
    monkeypatch.setattr(network, "ATTENTION_RANK", 2)


def test_fit__more_columns_than_the_limit__attention_of_low_rank():
    X, y = make_table(FULL_ATTENTION_WIDTH + 1)
    model = make_model(epochs=1).fit(X, y)
    assert model.network_.attention.rank == ATTENTION_RANK
    n_parameters = sum(parameter.numel() for parameter in model.network_.parameters())
    assert n_parameters < 200 * X.shape[1]
    assert torch.isfinite(torch.from_numpy(model.predict_proba(X))).all()


@pytest.mark.parametrize("parameters", [{}, {"n_members": 3, "bagging": "folds"}])
def test_fit__low_rank__files_and_onnx_give_the_same(narrow, tmp_path, parameters):
    X, y = make_table(6)
    model = make_model(**parameters).fit(X, y)
    assert model.network_.attention.value.weight.shape == (2, 6)
    expected = model.predict_proba(X)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), expected)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    (found,) = session.run(["probabilities"], {"X": X})
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_fit__full__the_paper_s_at_any_width_and_below_the_limit_the_same_bits(narrow):
    X, y = make_table(6)
    assert make_model(attention="full").fit(X, y).network_.attention.rank == 6
    X = X[:, :5]
    full, default = (make_model(attention=a).fit(X, y) for a in ("full", True))
    assert np.array_equal(full.predict_proba(X), default.predict_proba(X))


def test_fit__no_attention__none_at_any_width(narrow):
    assert make_model(attention=False).fit(*make_table(6)).network_.attention is None


def test_plus__more_columns_than_the_limit__its_paper_network_is_of_low_rank(narrow, monkeypatch):
    ranks = []
    plain = training.QCLMixNet.build

    def noted(*arguments, attention_rank, **options):
        ranks.append(attention_rank)
        return plain(*arguments, attention_rank=attention_rank, **options)

    monkeypatch.setattr(training.QCLMixNet, "build", noted)
    monkeypatch.setattr("qcl_mixnet.estimators.plus.plan.PAPER_STEPS", 2)
    monkeypatch.setattr(
        "qcl_mixnet.estimators.plus.fit.PORTFOLIO", (training.PaperRecipe("qcl_mixnet"),)
    )
    X, y = make_table(6)
    QCLMixNetPlusClassifier(random_state=0).fit(X, y)
    assert set(ranks) == {2}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"attention": "full", "n_members": 3},
            r"The table has 3,000 columns after encoding: training 3 networks of 18,.* parameters "
            r"with attention='full' takes about 2\.2 GB of memory, and 1\.0 GB are available; use "
            r"attention=True \(rank 64 .* \(n_members\), .*rare_levels='join'.*SelectKBest or PCA",
        ),
        (
            {"n_members": 50},
            r"training 50 networks .* attention=True .* use attention=False, fewer",
        ),
    ],
)
def test_fit__more_memory_than_there_is__one_sentence_before_any_training(
    monkeypatch, parameters, message
):
    monkeypatch.setattr(network_size, "available_memory", lambda: 10**9)
    monkeypatch.setattr(SizedBuild, "_build", lambda *_: pytest.fail("a network was built"))
    with pytest.raises(ValueError, match=message):
        make_model(**parameters).fit(*make_table(3000))


SizedBuild = network_size.SizedEnsemble


@pytest.mark.parametrize("available", [None, 10**9])
def test_fit__memory_unknown_or_enough__is_no_reason_to_refuse(monkeypatch, available):
    monkeypatch.setattr(network_size, "available_memory", lambda: available)
    make_model(epochs=1).fit(*make_table(6))
