"""Other libraries' global settings neither reach into the models nor are changed by them."""

import contextlib
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from joblib import parallel_config
from sklearn.pipeline import make_pipeline

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.baselines.classical import KNNClassifier, XGBoostClassifier
from qcl_mixnet.baselines.deep import (
    BiLSTMClassifier,
    CNNClassifier,
    GRUClassifier,
    MLPNetworkClassifier,
    ResNetClassifier,
)
from qcl_mixnet.baselines.graph import (
    GATClassifier,
    GCNClassifier,
    GINClassifier,
    GraphSAGEClassifier,
    JKNetClassifier,
)
from qcl_mixnet.baselines.svm import SVMSmoteClassifier
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.threads import resolve_threads
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


@contextlib.contextmanager
def changed(change, value, before):
    change(value)
    try:
        yield
    finally:
        change(before)


@contextlib.contextmanager
def pandas_objects():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The 'future.infer_string' option is deprecated")
        with pd.option_context("future.infer_string", False):
            yield


@contextlib.contextmanager
def numpy_legacy_printing():
    with np.printoptions(legacy="1.13", precision=1, threshold=1):
        yield


SETTINGS = {
    "transform_output pandas": lambda: sklearn.config_context(transform_output="pandas"),
    "transform_output polars": lambda: sklearn.config_context(transform_output="polars"),
    "metadata routing": lambda: sklearn.config_context(enable_metadata_routing=True),
    "assume_finite": lambda: sklearn.config_context(assume_finite=True),
    "working_memory": lambda: sklearn.config_context(working_memory=1),
    "skip validation": lambda: sklearn.config_context(skip_parameter_validation=True),
    "default float64": lambda: changed(torch.set_default_dtype, torch.float64, torch.float32),
    "default bfloat16": lambda: changed(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "default device": lambda: changed(torch.set_default_device, "meta", None),
    "device context": lambda: torch.device("meta"),
    "deterministic": lambda: changed(torch.use_deterministic_algorithms, True, False),
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
    "grad disabled": lambda: changed(torch.set_grad_enabled, False, True),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(False, check_nan=False),
    "numpy raises": lambda: np.errstate(all="raise"),
    "numpy prints": numpy_legacy_printing,
    "pandas python strings": lambda: pd.option_context("mode.string_storage", "python"),
    "pandas objects": pandas_objects,
    "joblib": lambda: parallel_config(backend="threading", n_jobs=2),
}


def plain_preprocessor():
    """The output of a pipeline's own steps is the user's choice: here it is always plain."""
    return TablePreprocessor().set_output(transform="default")


SMALL = {"random_state": 0, "epochs": 2}
MODELS = {
    "QCL-MixNet": lambda: QCLMixNetClassifier(**SMALL),
    "ensemble": lambda: QCLMixNetClassifier(
        **SMALL, n_members=2, bagging="folds", calibrate=True, decision="macro_f1"
    ),
    "validation": lambda: QCLMixNetClassifier(**SMALL, checkpoint="validation"),
    "MLP": lambda: MLPNetworkClassifier(**SMALL),
    "ResNet": lambda: ResNetClassifier(**SMALL),
    "CNN": lambda: CNNClassifier(**SMALL),
    "GRU": lambda: GRUClassifier(**SMALL),
    "BiLSTM": lambda: BiLSTMClassifier(**SMALL),
    "GCN": lambda: GCNClassifier(**SMALL),
    "GraphSAGE": lambda: GraphSAGEClassifier(**SMALL),
    "GAT": lambda: GATClassifier(**SMALL),
    "GIN": lambda: GINClassifier(**SMALL),
    "JKNet": lambda: JKNetClassifier(**SMALL),
    "XGBoost": lambda: make_pipeline(
        plain_preprocessor(), XGBoostClassifier(n_estimators=2, random_state=0)
    ),
    "kNN": lambda: make_pipeline(plain_preprocessor(), KNNClassifier(weights="distance")),
    "SVM": lambda: make_pipeline(plain_preprocessor(), SVMSmoteClassifier(random_state=0)),
}


def make_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=40),
            "tiny": rng.normal(size=40) * 1e-300,  # underflows in a variance and in float32
            "gaps": np.where(rng.random(40) < 0.2, np.nan, rng.normal(size=40)),
            "text": ["u", "v", "w", None] * 10,
            "level": pd.Categorical(np.tile([0.1, 0.25, 1 / 3, 2.0], 10)),
        }
    )
    return X, np.where(np.arange(40) % 4 == 0, "rare", "common")


@pytest.fixture(scope="module")
def expected():
    """Each model as it is under no setting, with its probabilities; made when it is asked for."""
    made = {}

    def get(name):
        if name not in made:
            X, y = make_table()
            model = MODELS[name]().fit(X, y)
            made[name] = model, model.predict_proba(X), model.predict(X)
        return made[name]

    return get


def settings_of_now():
    return {
        "sklearn": sklearn.get_config(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "numpy": np.geterr(),
        "print": np.get_printoptions(),
        "numpy random": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "torch random": torch.get_rng_state().tolist(),
    }


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_models__other_libraries_settings__decide_nothing_and_stay(setting, model, expected):
    fitted, probabilities, labels = expected(model)
    X, y = make_table()
    with SETTINGS[setting]():
        before = settings_of_now()
        again = MODELS[model]().fit(X, y)
        for one in (fitted, again):
            np.testing.assert_array_equal(one.predict_proba(X), probabilities)
            np.testing.assert_array_equal(one.predict(X), labels)
        assert settings_of_now() == before


@pytest.mark.parametrize("setting", SETTINGS)
def test_save_and_load__other_libraries_settings__decide_nothing(setting, expected, tmp_path):
    fitted, probabilities, _ = expected("ensemble")
    X, y = make_table()
    with SETTINGS[setting]():
        fitted.save(tmp_path / "outside")
        MODELS["ensemble"]().fit(X, y).save(tmp_path / "inside")
        loaded = QCLMixNetClassifier.load(tmp_path / "outside")
        np.testing.assert_array_equal(loaded.predict_proba(X), probabilities)
    loaded = QCLMixNetClassifier.load(tmp_path / "inside")
    np.testing.assert_array_equal(loaded.predict_proba(X), probabilities)
    files = [tmp_path / place / "model.safetensors" for place in ("inside", "outside")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("setting", SETTINGS)
def test_fit__raises__settings_stay(setting):
    with SETTINGS[setting]():
        before = settings_of_now()
        with pytest.raises(ValueError, match="infinity"):
            QCLMixNetClassifier(epochs=1, random_state=0).fit(np.full((4, 1), np.inf), [0, 1, 0, 1])
        assert settings_of_now() == before


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_transform__transform_output__is_the_user_s_for_what_the_user_calls(output, expected):
    model, _, _ = expected("QCL-MixNet")
    X, _ = make_table()
    plain = model.transform(X)
    with sklearn.config_context(transform_output=output):
        frame = model.transform(X)
    assert type(frame).__module__.split(".")[0] == output
    np.testing.assert_array_equal(frame.to_numpy(), plain)


def test_fit__global_seeds__are_neither_read_nor_moved(expected):
    _, probabilities, _ = expected("QCL-MixNet")
    X, y = make_table()
    np.random.seed(123)  # noqa: NPY002 (the global generator is what is tested)
    torch.manual_seed(321)
    before = settings_of_now()
    np.testing.assert_array_equal(MODELS["QCL-MixNet"]().fit(X, y).predict_proba(X), probabilities)
    assert settings_of_now() == before


def test_own_settings__in_a_fork__one_thread(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        monkeypatch.setattr("qcl_mixnet.engine.threads._process", os.getpid() + 1)
        with own_settings():
            assert torch.get_num_threads() == 1
            assert resolve_threads(2) == resolve_threads(None) == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


FORK = """
import os, time
import numpy as np
from qcl_mixnet import QCLMixNetClassifier
X = np.random.default_rng(0).normal(size=(2000, 20))
model = QCLMixNetClassifier(epochs=1, random_state=0, n_jobs=2).fit(X, X[:, 0] > 0)
expected = model.predict_proba(X)
child = os.fork()
if child == 0:
    os._exit(int(not np.array_equal(model.predict_proba(X), expected)))
for _ in range(300):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(child, 9)
raise SystemExit("the child hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_predict__in_a_fork_after_a_predict_on_many_threads__does_not_hang():
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=120)


WARNINGS_AS_ERRORS = """
import numpy as np, pandas as pd, tempfile
from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.baselines.deep import GRUClassifier
from qcl_mixnet.baselines.graph import GCNClassifier
rng = np.random.default_rng(0)
X = pd.DataFrame({"a": rng.normal(size=40), "k": ["u", "v", None, "w"] * 10, "flat": 0.1})
y = pd.array([1, 0, 2, 0] * 10, dtype="Int64")
for parameters in ({}, {"n_members": 3, "bagging": "folds", "calibrate": True},
                   {"decision": "macro_f1"}, {"checkpoint": "validation"}):
    model = QCLMixNetClassifier(epochs=2, random_state=0, **parameters).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder + "/m")
        loaded = QCLMixNetClassifier.load(folder + "/m")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    model.predict(X), model.transform(X), model.embed(X)
QCLMixNetClassifier(epochs=1, random_state=0).fit(X[["a", "flat"]], y).to_onnx()
for make in (GRUClassifier, GCNClassifier):
    make(epochs=1, random_state=0).fit(X, y).predict(X)
"""


@pytest.mark.slow
def test_all_paths__warnings_as_errors__work():
    # Imports come first, as other libraries' warnings at import are not ours to mend.
    start = "import torch, sklearn, onnx, torch_geometric, warnings; warnings.simplefilter('error')"
    code = f"{start}\n{WARNINGS_AS_ERRORS}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
