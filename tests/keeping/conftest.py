"""A small table with gaps and categories, the roster's models on it, and forged folders."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.keeping.saving import save_fitted

SMALL = {"epochs": 2, "n_estimators": 5}


def roster():
    """Entries of all models that the project has."""
    files = sorted((Path(__file__).parents[2] / "conf" / "base" / "models").glob("*.yml"))
    found = [yaml.safe_load(file.read_text(encoding="utf-8"))["models"] for file in files]
    return {n: ModelSpec.model_validate(e) for entries in found for n, e in entries.items()}


def make_table(n=60):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "weight": np.where(np.arange(n) % 9, rng.normal(size=n), np.nan),
            "colour": rng.choice(["red", "green", None], n),
        }
    )
    labels = np.array(["a", "b", "rare"])[(table["size"] > 0).astype(int) + (table["size"] > 1)]
    return table, labels


def small_model(spec):
    """A model of the roster, with few rounds or epochs."""
    model = build_model(spec, random_state=0)
    last = model[-1] if spec.preprocess else model
    return model.set_params(
        **{
            f"model__{name}" if spec.preprocess else name: value
            for name, value in SMALL.items()
            if name in last.get_params()
        }
    )


@pytest.fixture(scope="session")
def entries():
    return roster()


@pytest.fixture(scope="session")
def fitted(entries):
    """Fit a model of the roster on the table."""

    def fit(name):
        return small_model(entries[name]).fit(*make_table())

    return fit


@pytest.fixture(scope="session")
def kept(fitted, tmp_path_factory):
    """Folders of kept models by name, each fitted once."""
    folders = {}

    def keep(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("kept") / name
            save_fitted(fitted(name), folders[name])
        return folders[name]

    return keep


@pytest.fixture
def copied(kept, tmp_path):
    """A copy of a kept model that a test may damage."""

    def copy(name):
        return shutil.copytree(kept(name), tmp_path / name)

    return copy


@pytest.fixture(scope="session")
def edit():
    """Change the JSON of a kept model, by a function of its content, and renew its checksum."""

    def change_json(folder, change):
        file = folder / "kept.json"
        content = json.loads(file.read_text())
        change(content)
        others = {key: value for key, value in content.items() if key != "sha256"}
        canonical = json.dumps(others, sort_keys=True, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
        file.write_text(json.dumps(content))

    return change_json


@pytest.fixture(scope="session")
def replace(edit):
    """Replace a file of a kept model, and renew all checksums."""

    def put(folder, name, data):
        (folder / name).write_bytes(data)
        described = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        edit(folder, lambda content: content["files"].update({name: described}))

    return put
