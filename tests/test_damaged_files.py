"""Files of every kind, damaged in every way: one sentence of one class, or a new computation."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from filelock import FileLock
from kedro.io import DatasetError
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from tests.estimators.plus.quick_fits import fit_quickly

from qcl_mixnet import ModelFileError, QCLMixNetClassifier, load_fitted, save_fitted
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.files import FileSource
from qcl_mixnet.data.sources.openml import OpenMLSource
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.inspection.plan import read_plan
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader
from qcl_mixnet.project.datasets import TableDataset, Unavailable
from qcl_mixnet.project.folder_lock import LOCK, OWNER, folder_lock
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.tracking_ledger import Ledger, LedgerRun, left_behind
from qcl_mixnet.project.whole_files import WholeJSONDataset
from qcl_mixnet.replay.cache import CandidateFolder, CandidateResult
from qcl_mixnet.trial.folder import RECORD_FILE, SavedTrial
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.storage import stored_study

KEY = "k" * 64
X, Y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
TABLE = pd.DataFrame(X, columns=["a", "b"]).assign(target=Y)
AGAIN = None  # in place of a class of errors: the thing is computed again, with a warning
DEEP = "[" * 100_000


def truncated(content):
    return content[: len(content) // 2]


DAMAGES = {
    "empty": lambda content: b"",
    "truncated": truncated,
    "random": lambda content: np.random.default_rng(0).bytes(len(content)),
    "nested": lambda content: DEEP.encode(),
    "nested objects": lambda content: b'{"a":' * 100_000,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with a saved model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    QCLMixNetClassifier(epochs=1, random_state=0).fit(X, Y).save(folder / "saved")
    fit_quickly(TABLE[["a", "b"]], Y).save(folder / "plus")
    forest = make_pipeline(TablePreprocessor(), ExtraTreesClassifier(2, random_state=0))
    save_fitted(forest.fit(X, Y), folder / "kept")
    return folder


def model(kind, pattern):
    def make(folder, models):
        shutil.copytree(models / kind, folder / "m")
        (file,) = (folder / "m").glob(pattern)
        return file, lambda: load_fitted(folder / "m"), ModelFileError

    return make


def cell(name):
    def make(folder, models):
        cells = CellFolder(folder)
        own = cells.folder(KEY)
        own.mkdir()
        TABLE.to_parquet(own / "predictions.parquet")
        digest = hashlib.sha256((own / "predictions.parquet").read_bytes()).hexdigest()
        (own / "fit.json").write_text(json.dumps({"key": KEY, "files": {name: digest}}))
        return own / name, lambda: cells.result(KEY), AGAIN

    return make


def table(folder, models):
    dataset = TableDataset(filepath=str(folder / "t.parquet"))
    dataset.save(TABLE)
    return dataset.path, dataset.load, DatasetError


def note(folder, models):
    dataset = TableDataset(filepath=str(folder / "t.parquet"))
    dataset.save(Unavailable("it is gone"))
    return folder / "t.unavailable.json", dataset.load_note, DatasetError


def schema(folder, models):
    dataset = WholeJSONDataset(filepath=str(folder / "schema.json"))
    dataset.save({"fingerprint": KEY, "classes": ["a", "b"]})
    return folder / "schema.json", dataset.load, DatasetError


def source(suffix):
    def make(folder, models):
        path = folder / f"t.{suffix}"
        {"csv": TABLE.to_csv, "parquet": TABLE.to_parquet, "feather": TABLE.to_feather,
         "xlsx": TABLE.to_excel}[suffix](path)  # fmt: skip
        context = FetchContext("t", folder / "downloads", folder)
        return path, lambda: FileSource(path=str(path)).load(context), DataError

    return make


def trial(folder, models):
    (folder / RECORD_FILE).write_text('{"schema_version": 1, "verdict": {}}')
    return folder / RECORD_FILE, lambda: SavedTrial.read(folder), DataError


def readings(folder, models):
    (folder / "readings.yml").write_text("target: a\ncolumns: {b: numbers, c: {as: gone}}\n")
    return folder / "readings.yml", lambda: read_plan(folder / "readings.yml"), DataError


def study(folder, models):
    path = folder / "s.db"

    def opened():
        pruner = optuna.pruners.NopPruner()
        with stored_study(path, "s", {"tuning": {}}, maximize=True, pruner=pruner):
            return AGAIN

    opened()
    return path, opened, TuningError


def cache(folder, models):
    candidates = CandidateFolder(folder)
    record = {"candidate": "c", "seed": 0, "key": KEY, "status": "ok", "error": None}
    names = ("out_of_fold", "test", "y_train", "y_test")
    candidates.save(CandidateResult(record, dict.fromkeys(names, X)))
    return candidates.file("c", 0, KEY), lambda: candidates.result("c", 0, KEY), AGAIN


def ledger(name):
    def make(folder, models):
        made = Ledger.create(folder, LedgerRun(KEY, "sqlite:///x.db", "full", "e"))
        made.add_row("glass.knn", "id")
        made.add_report({"metrics": {}})
        made.add_end("FINISHED")
        made.release()

        def read():
            for left in left_behind(folder):
                left.row("glass.knn"), left.report, left.end, list(left.unsent(thorough=True))
                left.release()

        return made.folder / name, read, AGAIN

    return make


def configuration(folder, models):
    (folder / "base").mkdir()
    (folder / "base/globals.yml").write_text('{"data_root": "a folder", "more": {"a": [1, 2]}}')

    def read():
        loader = ProjectConfigLoader(str(folder), base_env="base", default_run_env="base")
        return loader["globals"] and AGAIN

    return folder / "base/globals.yml", read, ConfigurationError


def owner(folder, models):
    (folder / OWNER).write_text('{"user": "me", "host": "here", "process": 1, "since": "2026"}')

    def read():
        with FileLock(folder / LOCK), folder_lock(folder):
            pass

    return folder / OWNER, read, ConfigurationError


KINDS = {
    "record of a cell": cell("fit.json"),
    "predictions of a cell": cell("predictions.parquet"),
    "table, or splits": table,
    "note of a table": note,
    "schema": schema,
    **{f"source, {suffix}": source(suffix) for suffix in ("csv", "parquet", "feather", "xlsx")},
    "saved model, record": model("saved", "*.json"),
    "saved model, weights": model("saved", "*.safetensors"),
    "Plus model, record": model("plus", "*.json"),
    "Plus model, weights": model("plus", "*.safetensors"),
    "kept model, record": model("kept", "*.json"),
    "kept model, trees": model("kept", "*.skops"),
    "trial": trial,
    "readings": readings,
    "study": study,
    "cache of a replay": cache,
    **{
        f"ledger, {name}": ledger(f"{name}.json")
        for name in ("run", "end", "report", "glass.knn.row")
    },
    "configuration": configuration,
    "owner of a folder": owner,
}
# Where nothing is as good as what was there: no entries, and a new study.
HARMLESS = {("configuration", "empty"), ("study", "empty")}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_file__is_one_sentence_or_computed_again(kind, damage, tmp_path, models, caplog):
    caplog.set_level(logging.DEBUG)
    file, read, error = KINDS[kind](tmp_path, models)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    if error is AGAIN:
        assert read() is None
        assert "damaged" in caplog.text
    elif (kind, damage) in HARMLESS:
        read()
    else:
        with pytest.raises(error) as caught:
            read()
        message = str(caught.value)
        assert "\n" not in message or kind == "schema"  # Kedro's own; each run writes it anew
        assert len(message) < 1000
        assert tmp_path.name in message or str(tmp_path) in message


@pytest.mark.parametrize("kind", ["saved", "plus", "kept"])
def test_newer_version_of_a_model__says_which_and_what_to_do(kind, tmp_path, models):
    folder = tmp_path / kind
    shutil.copytree(models / kind, folder)
    (file,) = folder.glob("*.json")
    document = {**json.loads(file.read_text()), "schema_version": 99, "more": {"deep": [1]}}
    file.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=r"has schema version 99, .* reads version") as told:
        load_fitted(folder)
    assert str(file) in str(told.value)
    assert "install the version that wrote" in str(told.value)
    assert "\n" not in str(told.value)


def test_openml__lists_of_thousands_of_names_with_commas__are_one_sentence(tmp_path):
    source = OpenMLSource(data_id=7, server="http://127.0.0.1:9")
    context = FetchContext("t", tmp_path / "d", tmp_path, retries=0)
    names = [f"a,{i:04}" for i in range(1050)]
    listed = ", ".join(names)
    url = "<o:url>http://127.0.0.1:9/t</o:url>"
    for tag in ("default_target_attribute", "ignore_attribute"):
        fields = f"<o:{tag}>{listed}</o:{tag}>{url}"
        if tag != "default_target_attribute":
            fields += "<o:default_target_attribute>y</o:default_target_attribute>"
        header = "".join(f"@attribute '{name}' numeric\n" for name in [*names, "y"])
        rows = ",".join(["1"] * 1051) + "\n"
        put(context.downloads, "description.xml",
            f'<d xmlns:o="http://openml.org/openml">{fields}</d>')  # fmt: skip
        put(context.downloads, "dataset.arff", f"@relation r\n{header}@data\n{rows}")
        with pytest.raises(DataError, match="too many columns with commas in their names"):
            source.load(context)


def put(downloads, name, text):
    """Lay a file where one that was fetched before lies, with the checksum of such."""
    file = Path(downloads) / "openml/127.0.0.1_9/7" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    file.with_name(name + ".sha256").write_text(digest + "\n")
