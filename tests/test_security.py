"""What SECURITY.md promises: nothing unpickles, and no record leads out of its folder."""

import hashlib
import json
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.project.records import make_record

from qcl_mixnet import ModelFileError, QCLMixNetClassifier, load_fitted
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.files import FileSource
from qcl_mixnet.data.sources.openml import SERVER_VARIABLE, OpenMLSource
from qcl_mixnet.data.sources.uci_har import UciHarSource
from qcl_mixnet.data.sources.zenodo import ZenodoSource
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.inspection.plan import read_plan
from qcl_mixnet.replay.cache import CandidateFolder
from qcl_mixnet.trial.folder import RECORD_FILE, SavedTrial

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(ROOT.glob("src/**/*.py"))

# What runs whatever a file says, and where it may stand all the same.
RUNS_FILES = re.compile(
    r"\b(?:c?pickle|dill|cloudpickle|marshal|shelve)\b(?!\s*(?:alone|may|:))"
    r"|joblib\.load|torch\.load|read_pickle|to_pickle|allow_pickle=True|PickleDataset"
    r"|yaml\.(?:load|unsafe_load|full_load)\(|(?<![.\w])(?:eval|exec)\(|os\.system|shell=True"
)
ALLOWED = re.compile(r"without pickle|no pickle|pickle alone|unpickl")
# What a driver and its own worker processes send one another, and what Dask's scheduler sends to
# its workers. No file comes that way.
BETWEEN_PROCESSES = {
    "src/qcl_mixnet/project/dask_executor.py",
    "src/qcl_mixnet/project/dask_worker.py",
    "src/qcl_mixnet/supervision/supervisor.py",
    "src/qcl_mixnet/supervision/worker.py",
}


def test_source__nothing_in_it_unpickles_or_evaluates():
    assert len(SOURCES) > 300
    found = []
    for file in SOURCES:
        if file.relative_to(ROOT).as_posix() in BETWEEN_PROCESSES:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if RUNS_FILES.search(line) and not ALLOWED.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["import pickle", "joblib.load(path)", "np.load(f, allow_pickle=True)", "yaml.load(text)",
     "eval(text)", "from cloudpickle import loads", "torch.load(path)"],
)  # fmt: skip
def test_source__the_search_finds_what_it_looks_for(line):
    assert RUNS_FILES.search(line)


def test_source__np_load__says_no_to_pickles_by_name():
    calls = [
        line
        for file in SOURCES
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bnp\.load\(", line)
    ]
    assert calls
    assert all("allow_pickle=False" in call for call in calls)


@pytest.mark.parametrize("name", ["catalog*.yml", "mlflow.yml"])
def test_catalog__no_data_set_is_a_pickle(name):
    files = sorted(ROOT.glob(f"conf/**/{name}"))
    assert files
    assert not [file for file in files if "pickle" in file.read_text(encoding="utf-8").lower()]


class Touch:
    """What a stranger would plant: whoever unpickles it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def planted(tmp_path):
    """Bytes of a pickle that would leave a mark, which is looked for at the end."""
    marker = tmp_path / "was unpickled"
    content = pickle.dumps(Touch(marker))
    pickle.loads(content)
    assert marker.is_dir()  # it would
    marker.rmdir()
    yield content
    assert not marker.exists()


@pytest.fixture(scope="session")
def model():
    X = np.random.default_rng(0).normal(size=(20, 2))
    return QCLMixNetClassifier(epochs=1, random_state=0).fit(X, np.arange(20) % 2)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_model_folder__planted_pickle__is_refused(planted, model, tmp_path, name):
    model.save(tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(planted)
    for load in (QCLMixNetClassifier.load, load_fitted):
        with pytest.raises(ModelFileError):
            load(tmp_path / "m")


def test_model_folder__pickles_beside_the_files__are_not_opened(planted, model, tmp_path):
    model.save(tmp_path / "m")
    for name in ("model.pkl", "model.joblib", "python_model.pkl", "model.pt", "__init__.py"):
        (tmp_path / "m" / name).write_bytes(planted)
    QCLMixNetClassifier.load(tmp_path / "m")


def kept_forest(folder):
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import make_pipeline

    from qcl_mixnet import save_fitted
    from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

    X = np.random.default_rng(0).normal(size=(20, 2))
    forest = make_pipeline(TablePreprocessor(), ExtraTreesClassifier(2, random_state=0))
    save_fitted(forest.fit(X, np.arange(20) % 2), folder)


def renewed(folder, name, content):
    """Write over a file of a kept model, and make its record agree, as a stranger can."""
    from qcl_mixnet.persistence.checked import checksum

    (folder / name).write_bytes(content)
    (record,) = folder.glob("*.json")
    document = json.loads(record.read_text())
    entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for key, value in document.items():
        if isinstance(value, dict) and name in value:
            document[key][name] = entry
    document["sha256"] = checksum(document)
    record.write_text(json.dumps(document))


def test_kept_model__planted_pickle_with_its_checksum__is_refused(planted, tmp_path):
    kept_forest(tmp_path / "m")
    renewed(tmp_path / "m", "model.skops", planted)
    with pytest.raises(ModelFileError, match=r"usable model: model\.skops"):
        load_fitted(tmp_path / "m")


def test_kept_model__pickle_inside_the_archive_of_skops__is_refused(planted, tmp_path):
    kept_forest(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m/model.skops", "a") as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["__loader__"], schema["__module__"], schema["__class__"] = "TypeNode", "os", "mkdir"
    forged = tmp_path / "forged"
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        archive.writestr("0.npy", planted)
    renewed(tmp_path / "m", "model.skops", forged.read_bytes())
    with pytest.raises(ModelFileError, match=r"usable model: model\.skops"):
        load_fitted(tmp_path / "m")


def write_cell(folder, files, key="k" * 64):
    own = CellFolder(folder).folder(key)
    own.mkdir(parents=True)
    record = make_record(key=key, files={})
    for name, content in files.items():
        (own / name).write_bytes(content)
        record["files"][name] = hashlib.sha256(content).hexdigest()
    (own / "fit.json").write_text(json.dumps(record))
    return CellFolder(folder), key


def test_cell__planted_pickles__are_not_run(planted, tmp_path):
    cells, key = write_cell(tmp_path / "c", {"predictions.parquet": planted})
    assert cells.result(key) is None  # its record is right, so that somebody wrote it so
    (cells.folder(key) / "fit.json").write_bytes(planted)
    assert cells.record(key) is None


@pytest.mark.parametrize("name", ["../../../out.parquet", "/out.parquet", "x.parquet", ""])
def test_cell__record_that_names_another_file__is_damaged(tmp_path, name, caplog):
    out = tmp_path / "out.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(out)
    cells, key = write_cell(tmp_path / "a/b", {})
    name = name if name != "/out.parquet" else str(out)
    files = {name: hashlib.sha256(out.read_bytes()).hexdigest()}
    record = make_record(key=key, files=files)
    (cells.folder(key) / "fit.json").write_text(json.dumps(record))
    assert cells.result(key) is None
    assert "names the file" in caplog.text


def test_cache__planted_pickle__is_not_run(planted, tmp_path):
    folder = CandidateFolder(tmp_path)
    file = folder.file("waves", 0, "k" * 64)
    file.parent.mkdir(parents=True)
    for content in (planted, None):
        if content is None:
            with file.open("wb") as stream:
                np.savez(stream, record=np.array([Touch(tmp_path / "was unpickled")], object))
        else:
            file.write_bytes(content)
        assert folder.result("waves", 0, "k" * 64) is None


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather", "xlsx", "xls", "arff", "csv.gz"])
def test_source__planted_pickle_as_a_table__is_refused(planted, tmp_path, suffix):
    file = tmp_path / f"t.{suffix}"
    file.write_bytes(planted)
    with pytest.raises(DataError):
        FileSource(path=str(file)).read(FetchContext("t", tmp_path / "d", tmp_path))


def test_source__arrow_type_that_old_readers_unpickled__is_none(planted, tmp_path):
    field = pa.field(
        "a", pa.int8(), metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": planted,
        }
    )  # fmt: skip
    table = pa.table([pa.array([1, 2], pa.int8())], schema=pa.schema([field]))
    pq.write_table(table, tmp_path / "t.parquet")
    source = FileSource(path=str(tmp_path / "t.parquet"))
    assert source.read(FetchContext("t", tmp_path / "d", tmp_path))["a"].tolist() == [1, 2]


def put(file, content):
    """Lay a file where one that was fetched before lies, with the checksum of such."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    file.with_name(file.name + ".sha256").write_text(digest + "\n")


def test_downloads__planted_pickles__are_refused(planted, tmp_path, monkeypatch):
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    context = FetchContext("t", tmp_path / "d", tmp_path, retries=0)
    openml = context.downloads / "openml/127.0.0.1_9/7"
    put(openml / "description.xml", planted)
    source = OpenMLSource(data_id=7, server="http://127.0.0.1:9")
    with pytest.raises(DataError, match="no valid XML"):
        source.load(context)
    put(
        openml / "description.xml",
        b'<d xmlns:o="http://openml.org/openml"><o:url>http://127.0.0.1:9/t</o:url></d>',
    )
    put(openml / "dataset.arff", planted)
    with pytest.raises(DataError, match="cannot be read as ARFF"):
        source.load(context)
    put(context.downloads / "uci/har.zip", planted)
    with pytest.raises(DataError, match="is not the archive"):
        UciHarSource().load(context)


def test_downloads__pickled_arrays_in_the_archive_of_zenodo__are_refused(planted, tmp_path):
    import io
    import tarfile

    arrays, packed = io.BytesIO(), io.BytesIO()
    np.savez(arrays, data=np.array([Touch(tmp_path / "was unpickled")], object), label=np.ones(1))
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("x1data.npz")
        member.size = len(arrays.getvalue())
        archive.addfile(member, io.BytesIO(arrays.getvalue()))
    context = FetchContext("ecoli", tmp_path / "d", tmp_path)
    put(context.downloads / "zenodo/benchmark-imbalanced-learn.tar.gz", packed.getvalue())
    with pytest.raises(DataError):
        ZenodoSource(name="ecoli").load(context)


def test_mlflow_model__pickles_beside_its_files__are_not_opened(planted, model, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    from qcl_mixnet import mlflow_model

    mlflow_model.save_model(model, tmp_path / "m")
    for folder in [tmp_path / "m", *(p for p in (tmp_path / "m").rglob("*") if p.is_dir())]:
        for name in ("python_model.pkl", "model.pkl", "artifacts.pkl"):
            (folder / name).write_bytes(planted)
    X = np.zeros((2, 2))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert len(loaded.predict(pd.DataFrame(X))) == 2


DEEP = {"brackets": "[" * 100_000, "objects": '{"a":' * 100_000, "closed": "[" * 990 + "]" * 990}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_json__nested_deep__ends_in_one_sentence(text, model, tmp_path, caplog):
    model.save(tmp_path / "m")
    (tmp_path / "m/model.json").write_text(text)
    with pytest.raises(ModelFileError):
        load_fitted(tmp_path / "m")
    cells, key = write_cell(tmp_path / "c", {})
    (cells.folder(key) / "fit.json").write_text(text)
    assert cells.record(key) is None
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(DataError, match="damaged"):
        SavedTrial.read(tmp_path)
    (tmp_path / "readings.yml").write_text(text)
    with pytest.raises(DataError):
        read_plan(tmp_path / "readings.yml")


def test_openml__description_of_a_million_laughs__is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    context = FetchContext("t", tmp_path / "d", tmp_path, retries=0)
    entities = (
        '<!ENTITY a0 "'
        + "lol" * 1000
        + '">'
        + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 100}">' for i in range(1, 6))
    )
    text = f"<!DOCTYPE d [{entities}]><d>&a5;</d>"
    put(context.downloads / "openml/127.0.0.1_9/7/description.xml", text.encode())
    with pytest.raises(DataError, match="no valid XML"):
        OpenMLSource(data_id=7, server="http://127.0.0.1:9").load(context)
