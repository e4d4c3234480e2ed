import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from sklearn.exceptions import NotFittedError

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.mlflow_model import (
    load_for_evaluation,
    model_signature,
    pip_requirements_of_model,
    save_model,
)


def training_table(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.integers(0, 9, n),
            "weight": np.where(np.arange(n) % 7, rng.normal(size=n), np.nan),
            "colour": rng.choice(["red", "blue", None], n),
            "alive": np.arange(n) % 3 == 0,
        }
    )


@pytest.fixture(scope="module")
def model():
    table = training_table()
    labels = np.where(np.arange(len(table)) % 4, "common", "rare")
    weights = {"common": 1.0, "rare": 1.3}
    return QCLMixNetClassifier(epochs=1, random_state=0, decision=weights).fit(table, labels)


@pytest.fixture(scope="module")
def unnamed():
    X = np.random.default_rng(0).normal(size=(30, 3))
    return QCLMixNetClassifier(epochs=1, random_state=0).fit(X, np.arange(30) % 3)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "mlflow_model"
    save_model(model, path)
    return path


# Gaps, a level and a column that training has not seen, another order.
ROWS = {
    "columns": ["colour", "alive", "size", "weight", "more"],
    "data": [
        ["red", True, 3, None, 1],
        [None, False, None, 0.5, 2],
        ["green", None, 2, -1, 3],
    ],
}


@pytest.fixture
def expected(model):
    """What the model itself says of these rows."""
    table = pd.DataFrame(ROWS["data"], columns=ROWS["columns"])[list(training_table())]
    labels, probabilities = model.predict(table), model.predict_proba(table)
    return [
        {"label": label, "proba_common": p[0], "proba_rare": p[1]}
        for label, p in zip(labels, probabilities, strict=True)
    ]


def assert_same(found, expected):
    assert [row["label"] for row in found] == [row["label"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert list(row) == list(other)
        assert [row[n] for n in row if n != "label"] == pytest.approx(
            [other[n] for n in row if n != "label"]
        )


def test_model_signature__names_types_and_outputs(model):
    signature = model_signature(model)
    assert [str(column) for column in signature.inputs] == [
        "'size': double (required)", "'weight': double (required)", "'colour': Any (required)",
        "'alive': Any (required)",
    ]  # fmt: skip
    assert [str(column) for column in signature.outputs] == [
        "'label': string (required)", "'proba_common': double (required)",
        "'proba_rare': double (required)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "type_"), [([0, 1], "long"), ([False, True], "boolean"), ([0.0, 1.0], "double")]
)
def test_model_signature__type_of_the_label_is_that_of_training(labels, type_):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, labels * 10)
    assert model_signature(model).outputs.inputs[0].type.name == type_


def test_save_model__loaded__predicts_as_the_model(model, folder):
    table = training_table()
    found = mlflow.pyfunc.load_model(str(folder)).predict(table.astype({"size": float}))
    assert list(found) == ["label", "proba_common", "proba_rare"]
    np.testing.assert_array_equal(found["label"], model.predict(table))
    np.testing.assert_array_equal(found.iloc[:, 1:], model.predict_proba(table))


def test_save_model__no_pickle_no_code_and_requirements_as_given(folder, model, tmp_path):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("data/")} == {
        "data/qcl_mixnet/model.json", "data/qcl_mixnet/model.safetensors",
    }  # fmt: skip
    assert not [name for name in names if name.endswith((".pkl", ".py", ".joblib"))]
    lines = (folder / "requirements.txt").read_text().split()
    assert set(pip_requirements_of_model()) <= set(lines)
    save_model(model, tmp_path / "other", pip_requirements=["./qcl_mixnet-0.1.0.whl"])
    assert "./qcl_mixnet-0.1.0.whl" in (tmp_path / "other/requirements.txt").read_text()


def test_save_model__loader__is_the_module_that_every_saved_model_names(folder):
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["flavors"]["python_function"]["loader_module"] == "qcl_mixnet.mlflow_model"


def test_pip_requirements__are_exact_and_on_a_package_index():
    lines = pip_requirements_of_model()
    assert {line.split("==")[0] for line in lines} >= {"qcl-mixnet", "torch", "scikit-learn"}
    assert all("==" in line and "+" not in line for line in lines)


def example_of(folder):
    """The stored example: what a client would post."""
    text = (folder / "serving_input_example.json").read_text()
    return json.loads(text, parse_constant=pytest.fail)["dataframe_split"]


def test_save_model__no_example_given__medians_levels_and_gaps(model, folder):
    rows = example_of(folder)
    assert rows["columns"] == list(training_table())
    first, second = rows["data"]
    np.testing.assert_allclose(first[:2], model.preprocessor_.medians_)
    assert first[2:] == ["blue", "False"]
    assert second == [None] * 4


def test_save_model__example_given__its_first_rows(model, tmp_path):
    table = training_table().assign(colour=lambda t: t["colour"].astype("category"))
    save_model(model, tmp_path / "model", input_example=table)
    rows = example_of(tmp_path / "model")
    found = pd.DataFrame(rows["data"], columns=rows["columns"])
    pd.testing.assert_frame_equal(found, training_table().head(5), check_dtype=False)
    assert [type(value) for value in rows["data"][1]][:2] == [float, float]


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table.from_pandas, pl.from_pandas])
def test_save_model__example_in_another_order__columns_by_name(model, tmp_path, kind):
    table = training_table()
    other = kind(table.iloc[:, ::-1].assign(more="x"))
    save_model(model, tmp_path / "model", input_example=other)
    rows = example_of(tmp_path / "model")
    found = pd.DataFrame(rows["data"], columns=rows["columns"])
    pd.testing.assert_frame_equal(found, table.head(5), check_dtype=False)


@pytest.mark.parametrize("named", [False, True])
def test_save_model__example_is_an_array__columns_by_position(unnamed, tmp_path, named):
    X = np.random.default_rng(0).normal(size=(30, 3))
    X[0, 0] = np.nan
    model = unnamed
    if named:
        table = pd.DataFrame(X, columns=["a", "b", "c"])
        model = QCLMixNetClassifier(epochs=1, random_state=0).fit(table, np.arange(30) % 3)
    save_model(model, tmp_path / "model", input_example=X)
    data = example_of(tmp_path / "model")["data"]
    assert data == [[None, *X[0, 1:]], *X[1:5].tolist()]


def test_save_model__example_without_a_column__names_it(model, tmp_path):
    table = training_table().drop(columns=["size", "alive"])
    with pytest.raises(ValueError, match="input_example has no column 'size', 'alive'"):
        save_model(model, tmp_path / "model", input_example=table)


def test_save_model__not_fitted__is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(QCLMixNetClassifier(), tmp_path / "model")


def test_load__damaged_weights__are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "data/qcl_mixnet/model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        mlflow.pyfunc.load_model(str(copy))


def test_predict__table_that_the_model_cannot_read__says_why(folder):
    served = mlflow.pyfunc.load_model(str(folder))
    table = training_table().astype({"size": float})
    with pytest.raises(MlflowException, match=r"infinity.*'weight' \(1\)"):
        served.predict(table.assign(weight=[np.inf] + [0.0] * 39))
    with pytest.raises(MlflowException, match=r"missing inputs \['colour'\]"):
        served.predict(table.drop(columns="colour"))
    with pytest.raises(MlflowException, match="weight"):
        served.predict(table.assign(weight="heavy"))


def test_predict__training_without_names__columns_by_position(unnamed, tmp_path):
    save_model(unnamed, tmp_path / "model")
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    X = np.random.default_rng(1).normal(size=(5, 3))
    found = served.predict(pd.DataFrame(X, columns=["c", "a", "b"]))
    assert list(found) == ["label", "proba_0", "proba_1", "proba_2"]
    np.testing.assert_array_equal(found["label"], unnamed.predict(X))
    np.testing.assert_allclose(found.iloc[:, 1:], unnamed.predict_proba(X))


def test_invocations__json_in_process__is_what_the_model_says(folder, expected):
    served = mlflow.pyfunc.load_model(str(folder))
    answer = scoring_server.invocations(
        json.dumps({"dataframe_split": ROWS}), "application/json", served,
        served.metadata.get_input_schema(),
    )  # fmt: skip
    assert answer.status == 200
    assert_same(json.loads(answer.response)["predictions"], expected)


def post(address, content):
    request = Request(
        f"{address}/invocations",
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def server(folder, tmp_path):
    """`mlflow models serve` on a free port of this machine; ended by its process group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = Path(__file__).resolve().parents[1] / "src"
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder),
         "--env-manager=local", "-h", "127.0.0.1", "-p", str(port), "--workers", "1"],
        stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                urlopen(f"{address}/ping", timeout=5).close()
                break
            except (URLError, OSError):
                time.sleep(0.2)
        else:
            pytest.fail("the server does not answer")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


@pytest.mark.slow
def test_serve__json_over_http__is_what_the_model_says(server, expected):
    assert_same(post(server, {"dataframe_split": ROWS})["predictions"], expected)
    records = [dict(zip(ROWS["columns"], row, strict=True)) for row in ROWS["data"]]
    assert_same(post(server, {"dataframe_records": records})["predictions"], expected)
    bad = {"columns": ["size", "weight", "colour"], "data": [[1, 2, "red"]]}
    with pytest.raises(HTTPError) as caught:
        post(server, {"dataframe_split": bad})
    with caught.value as answer:
        assert answer.code == 400
        assert "missing inputs ['alive']" in answer.read().decode()


def test_load_for_evaluation__predicts_what_the_model_on_disk_predicts(folder):
    table = training_table().astype({"size": float})
    found = load_for_evaluation(str(folder)).predict(table)
    pd.testing.assert_frame_equal(found, mlflow.pyfunc.load_model(str(folder)).predict(table))
    assert "qcl_mixnet.mlflow_model" in (folder / "MLmodel").read_text()
