"""What the runner for Dask refuses, each in one sentence."""

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node

from qcl_mixnet.project import dask_runner
from qcl_mixnet.project.dask_runner import DaskRunner, _cells_on_gpu, _check_versions
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.parameters import ConfigurationError, parse_section
from qcl_mixnet.project.resources import Resources

SPEC = {"class": "sklearn.neighbors.KNeighborsClassifier", "label": "KNN", "family": "ml"}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (
            {"scheduler": "10.0.0.5"},
            r"resources\.scheduler.*such as tcp://10\.0\.0\.5:8786.*got '10",
        ),
        ({"scheduler": "tcp://10.0.0.5"}, r"resources\.scheduler.*such as tcp://10\.0\.0\.5:8786"),
        ({"scheduler": "tcp://a:b"}, r"resources\.scheduler.*such as tcp://10\.0\.0\.5:8786"),
        ({"exchange": "bucket"}, r"resources\.exchange.*an absolute path or an address.*'bucket'"),
        ({"exchange": "s3://me:secret@b/c"}, r"resources\.exchange.*no user, no password"),
        ({"exchange": "s3://b/c?key=secret"}, r"resources\.exchange.*no query.*got 's3://b/c'"),
        ({"scheduler": "tcp://me:secret@h:1"}, r"scheduler.*no user.*\(got 'tcp://h:1'\)"),
        ({"scheduler": "http://h?token=secret"}, r"scheduler.*such as tcp.*\(got 'http://h'\)"),
        ({"on_gpus": "dl"}, r"Unknown parameter 'resources\.on_gpus' \(did you mean 'on_gpu'\?\)"),
    ],
)
def test_bad_resources__are_one_sentence(resources, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_section({"resources": resources}, Resources, "resources")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_resources__good_ones__are_read():
    resources = Resources(scheduler="tls://h:8786", exchange="s3://b/c/", on_gpu="dl+gnn")
    assert resources.exchange == "s3://b/c"
    assert resources.on_gpu == ["dl", "gnn"]


def test_scheduler_does_not_answer__is_one_sentence(monkeypatch):
    monkeypatch.setattr(dask_runner, "CONNECT_SECONDS", 1)
    message = r"No Dask scheduler answers at tcp://127\.0\.0\.1:1 within 1 seconds; start one"
    with (
        pytest.raises(ConfigurationError, match=message),
        DaskRunner(1)._cluster("tcp://127.0.0.1:1", 1),
    ):
        pass


def test_package_is_missing__is_one_sentence(monkeypatch):
    monkeypatch.setattr(dask_runner.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "qcl-mixnet\[distributed\]"'):
        DaskRunner()


class Client:
    def __init__(self, answer):
        self.answer = answer

    def run(self, function, on_error):
        return {"tcp://a:1": function(), "tcp://b:2": self.answer(function())}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda own: own | {"numpy": "1.0"},
            r"The worker at tcp://b:2 has other versions.*numpy 1\.",
        ),
        (
            lambda own: ModuleNotFoundError("No module"),
            r"tcp://b:2 cannot import qcl_mixnet \(No mo",
        ),
    ],
)
def test_check_versions__a_worker_is_different__is_one_sentence(answer, message):
    _check_versions(Client(lambda own: own))
    with pytest.raises(ConfigurationError, match=message):
        _check_versions(Client(answer))


def catalog_of(**families):
    models = {name: {**SPEC, "family": family} for name, family in families.items()}
    cells = {
        f"glass.{name}_result": CellDataset(path=f"/d/{name}", dataset="glass", model=name)
        for name in models
    }
    params = {f"params:models.{name}": MemoryDataset(entry) for name, entry in models.items()}
    return DataCatalog({**cells, **params, "parameters": MemoryDataset({"models": models})})


def on_gpu(catalog, *names, **resources):
    cells = [
        Node(lambda: None, None, f"glass.{name}_result", name=name, namespace="glass")
        for name in names
    ]
    return _cells_on_gpu(cells, catalog, Resources(**resources))


def test_cells_on_gpu__by_model_or_family():
    catalog = catalog_of(knn="ml", mlp="dl", gcn="gnn", cnn="dl")
    found = on_gpu(catalog, "knn", "mlp", "gcn", scheduler="tcp://a:1", on_gpu="gcn+dl")
    assert found == {"glass.knn": False, "glass.mlp": True, "glass.gcn": True}
    assert on_gpu(catalog, "knn", "mlp") == {"glass.knn": False, "glass.mlp": False}


def test_cells_on_gpu__unknown_name_or_no_scheduler__is_one_sentence():
    catalog = catalog_of(knn="ml", mlp="dl")
    with pytest.raises(ConfigurationError, match=r"Unknown model or family 'knnn' \(did you mean "):
        on_gpu(catalog, "knn", scheduler="tcp://a:1", on_gpu="knnn")
    with pytest.raises(ConfigurationError, match=r"resources\.on_gpu needs a scheduler whose work"):
        on_gpu(catalog, "knn", on_gpu="dl")
