"""Which models' cells an edit in this package recomputes."""

from pathlib import Path

import pytest
import yaml

from qcl_mixnet.evaluation import keys
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

ROOT = Path(__file__).parents[2]
MODELS = {
    name: ModelSpec.model_validate(spec)
    for file in sorted((ROOT / "conf/base/models").glob("*.yml"))
    for name, spec in yaml.safe_load(file.read_text(encoding="utf-8"))["models"].items()
}
OURS = {name for name, spec in MODELS.items() if spec.family in ("proposed", "ablation")}
PLUS = {"qcl_mixnet_plus", "qcl_mixnet_plus_trees"}
NETWORKS = OURS | {name for name, spec in MODELS.items() if spec.family in ("dl", "gnn")}


def modules_of(package):
    """Modules of a package of this project, found as files."""
    folder = ROOT / "src/qcl_mixnet" / package
    return [f"qcl_mixnet.{package}.{file.stem}" for file in sorted(folder.glob("[!_]*.py"))]


def all_keys():
    keys.code_digest.cache_clear()
    return {name: keys.cell_key("t", spec, EvaluationProtocol()) for name, spec in MODELS.items()}


@pytest.fixture(scope="module")
def before():
    return all_keys()


@pytest.fixture
def recomputed(monkeypatch, tmp_path, before):
    """Models whose keys are others when modules read as if somebody had added a line to them."""
    find = keys._source

    def models(*modules):
        copies = {}
        for module in modules:
            path = find(module)
            assert path is not None, module
            copies[module] = tmp_path / f"{module}.py"
            copies[module].write_text(path.read_text(encoding="utf-8") + "\nadded = 1\n", "utf-8")
        monkeypatch.setattr(keys, "_source", lambda name: copies.get(name) or find(name))
        after = all_keys()
        return {name for name in MODELS if after[name] != before[name]}

    yield models
    keys.code_digest.cache_clear()


@pytest.mark.parametrize("room", ["persistence", "resuming"])
def test_cell_key__edit_in_what_reads_and_writes_files__recomputes_no_cell(recomputed, room):
    modules = modules_of(room)
    assert f"qcl_mixnet.{room}.files" in modules
    assert recomputed(f"qcl_mixnet.{room}", *modules) == set()


@pytest.mark.parametrize(
    "module",
    [
        "model.losses", "model.objective", "model.network", "model.layers", "model.mixup",
        "model.variational", "model.partners", "model.cpu_step", "model.kernels.loss",
        "estimators.ensemble", "estimators.calibration", "estimators.decision",
        "estimators.decision_search",
    ],
)  # fmt: skip
def test_cell_key__edit_in_the_method__recomputes_ours_and_the_ablations_alone(recomputed, module):
    assert len(OURS) == 8
    assert recomputed(f"qcl_mixnet.{module}") == OURS


def test_cell_key__edit_in_one_of_our_classifiers__recomputes_it_alone(recomputed):
    assert recomputed("qcl_mixnet.estimators.classifier") == OURS - PLUS


@pytest.mark.parametrize(
    "module", ["model.plus.network", "estimators.plus.fit", "estimators.plus.trees"]
)
def test_cell_key__edit_in_the_blend__recomputes_it_alone(recomputed, module):
    assert recomputed(f"qcl_mixnet.{module}") == PLUS


@pytest.mark.parametrize(
    "module",
    [
        "engine.loop", "engine.loop_state", "engine.fingerprint", "engine.resumption",
        "engine.members", "engine.stacking", "engine.randomness", "engine.devices",
        "estimators.base", "estimators.holdout",
    ],
)  # fmt: skip
def test_cell_key__edit_in_the_engine__recomputes_all_networks_alone(recomputed, module):
    assert recomputed(f"qcl_mixnet.{module}") == NETWORKS


@pytest.mark.parametrize(
    "module",
    [
        "preprocessing.table_preprocessor", "evaluation.cells", "evaluation.metrics",
        "evaluation.search", "evaluation.specs", "evaluation.splits",
    ],
)  # fmt: skip
def test_cell_key__edit_in_what_every_cell_runs__recomputes_all(recomputed, module):
    assert recomputed(f"qcl_mixnet.{module}") == set(MODELS)


@pytest.mark.parametrize(
    "module", ["statistics.friedman", "reporting.figures", "scoring.table_file"]
)
def test_cell_key__edit_in_what_comes_after_the_cells__recomputes_none(recomputed, module):
    assert recomputed(f"qcl_mixnet.{module}") == set()


def test_cell_key__other_version_of_a_peers_library__recomputes_the_models_beside_it_alone(
    monkeypatch, before
):
    version = keys.importlib.metadata.version
    newer = {"lightgbm": "99"}
    monkeypatch.setattr(
        keys.importlib.metadata, "version", lambda name: newer.get(name) or version(name)
    )
    after = all_keys()
    assert {name for name in MODELS if after[name] != before[name]} == {
        "lightgbm", "catboost", "chimeraboost", "explainable_boosting",
    }  # fmt: skip


def test_cell_key__edit_in_one_baseline__recomputes_it_alone(recomputed):
    assert recomputed("qcl_mixnet.baselines.svm") == {"svm_smote"}
