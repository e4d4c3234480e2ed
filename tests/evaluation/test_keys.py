import importlib
import sys

import pytest

from qcl_mixnet.evaluation import keys
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

SPEC = {
    "class": "sklearn.tree.DecisionTreeClassifier",
    "params": {"max_depth": 3, "min_samples_leaf": 2},
    "grid": {"max_features": [1, 2], "class_weight": [None, "balanced"]},
    "family": "ml",
    "label": "DT",
}
OTHER_PROTOCOL = {
    "seed": 43, "repeats": 2, "test_size": 0.25, "folds": 4, "checkpoint": "validation"
}  # fmt: skip


def key(fingerprint="table", protocol=None, **changes):
    spec = ModelSpec.model_validate({**SPEC, **changes})
    return keys.cell_key(fingerprint, spec, EvaluationProtocol(**(protocol or {})))


def test_cell_key__same_things__same_sha256():
    assert key() == key()
    assert len(key()) == 64
    assert set(key()) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "another table"},
        {"class": "sklearn.tree.ExtraTreeClassifier"},
        {"params": {"max_depth": 4, "min_samples_leaf": 2}},
        {"params": {"max_depth": 3}},
        {"params": {}},
        {"grid": {"max_features": [1, 3], "class_weight": [None, "balanced"]}},
        {"grid": None},
        {"preprocess": False},
    ],
    ids=str,
)
def test_cell_key__table_or_model_changed__is_another(change):
    assert key(**change) != key()


@pytest.mark.parametrize("field", EvaluationProtocol.model_fields)
def test_cell_key__any_field_of_the_protocol_changed__is_another(field):
    assert key(protocol={field: OTHER_PROTOCOL[field]}) != key()


@pytest.mark.parametrize("change", [{"label": "Tree"}, {"family": "dl"}], ids=str)
def test_cell_key__label_or_family_changed__stays(change):
    assert key(**change) == key()


def test_cell_key__keys_in_another_order__stays():
    params = dict(reversed(SPEC["params"].items()))
    grid = dict(reversed(SPEC["grid"].items()))
    assert list(params) != list(SPEC["params"])
    assert key(params=params, grid=grid) == key()


def test_cell_key__another_version_of_a_library__is_another(monkeypatch):
    before = key()
    versions = dict(keys.library_versions())
    monkeypatch.setattr(keys, "library_versions", lambda: {**versions, "scikit-learn": "0.0.1"})
    assert key() != before
    monkeypatch.setattr(keys, "library_versions", lambda: dict(reversed(versions.items())))
    assert key() == before


def test_cell_key__other_code__is_another(monkeypatch):
    before = key()
    monkeypatch.setattr(keys, "code_digest", lambda modules: "other code")
    assert key() != before


def test_library_versions__names_python_and_every_numerical_library():
    versions = keys.library_versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(versions) == {"python", "qcl-mixnet", *keys.NUMERICAL_LIBRARIES}
    numpy_version = importlib.import_module("numpy").__version__
    assert versions["numpy"] == numpy_version


def test_library_versions__library_is_missing__says_so(monkeypatch):
    keys.library_versions.cache_clear()
    monkeypatch.setattr(keys, "NUMERICAL_LIBRARIES", ("no-such-library-anywhere",))
    try:
        assert keys.library_versions()["no-such-library-anywhere"] == "not installed"
    finally:
        keys.library_versions.cache_clear()


MODEL = '''"""A module."""
import numpy as np

from paper_package.helper import help_out


class Model:
    """A class."""

    def fit(self, x):
        """A method."""
        return help_out(np.sum(x)) + 1
'''


class Package:
    """A package on disk, in place of the project's own."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        path = self.folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()

    def digest(self, *modules):
        keys.code_digest.cache_clear()
        return keys.code_digest(modules or ("paper_package.model",))


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "PACKAGE", "paper_package")
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path)
    package.write("paper_package/__init__", "")
    package.write("paper_package/model", MODEL)
    package.write("paper_package/helper", "from paper_package import deep\nhelp_out = deep.value\n")
    package.write("paper_package/deep", "value = abs\n")
    package.write("paper_package/unrelated", "value = 1\n")
    yield package
    keys.code_digest.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "paper_package"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        return", "        # a comment\n\n        return"),
        ('"""A method."""', '"""Another sentence."""'),
        ('        """A method."""\n', ""),
        ('    """A class."""\n', '    """Other.\n\n    Words.\n    """\n'),
        ('"""A module."""\n', ""),
        (
            "help_out(np.sum(x)) + 1",
            "(\n            help_out(np.sum(x))\n            + 1\n        )",
        ),
    ],
    ids=["comment", "docstring", "no docstring", "class", "module", "layout"],
)
def test_code_digest__comments_docstrings_and_layout__do_not_count(package, old, new):
    before = package.digest()
    assert old in MODEL
    package.write("paper_package/model", MODEL.replace(old, new))
    assert package.digest() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("+ 1", "+ 2"), ("(self, x)", "(self, x, y=1)"), ("class Model:", "class Model(dict):")],
    ids=["body", "signature", "base class"],
)
def test_code_digest__other_code__is_another(package, old, new):
    before = package.digest()
    package.write("paper_package/model", MODEL.replace(old, new))
    assert package.digest() != before


@pytest.mark.parametrize(
    "statement",
    [
        "from paper_package.helper import help_out",
        "import paper_package.helper",
        "import paper_package.helper as h",
        "from paper_package import helper",
        "def later():\n    from paper_package import helper\n    return helper",
        "if True:\n    import paper_package.helper",
    ],
)
@pytest.mark.parametrize("changed", ["helper", "deep"])
def test_code_digest__imported_module_changed__is_another(package, statement, changed):
    package.write("paper_package/model", f"{statement}\n")
    before = package.digest()
    text = (package.folder / f"paper_package/{changed}.py").read_text()
    package.write(f"paper_package/{changed}", text + "more = 1\n")
    assert package.digest() != before


def test_code_digest__module_that_is_not_imported__does_not_count(package):
    before = package.digest()
    package.write("paper_package/unrelated", "value = 2\n")
    assert package.digest() == before
    assert package.digest("paper_package.unrelated") != before


def test_code_digest__modules_that_import_one_another__comes_to_an_end(package):
    package.write("paper_package/deep", "import paper_package.model\nvalue = abs\n")
    before = package.digest()
    package.write("paper_package/deep", "import paper_package.model\nvalue = min\n")
    assert package.digest() != before


def test_code_digest__users_own_module__counts_by_its_code(package):
    package.write("my_own_model", "from paper_package import helper\nx = 1\n")
    before = package.digest("my_own_model")
    package.write("my_own_model", "from paper_package import helper\nx = 2\n")
    after = package.digest("my_own_model")
    assert after != before
    package.write("paper_package/deep", "value = min\n")
    assert package.digest("my_own_model") != after


def test_code_digest__what_a_users_own_module_imports__counts(package):
    package.write("my_own_model", "import numpy\nfrom my_own_helper import help_out\n")
    package.write("my_own_helper", "def help_out():\n    return 1\n")
    before = package.digest("my_own_model")
    package.write("my_own_helper", "def help_out():\n    return 2\n")
    assert package.digest("my_own_model") != before
    assert "my_own_model" not in sys.modules  # nothing of it was run
    assert "my_own_helper" not in sys.modules


@pytest.mark.parametrize(
    "statement",
    ["from .helper import help_out", "from . import helper", "from ..own.helper import help_out"],
)
def test_code_digest__relative_imports_of_a_users_own_package__count(package, statement):
    package.write("own/__init__", "")
    package.write("own/own/__init__", "")
    package.write("own/own/helper", "help_out = 1\n")
    package.write("own/own/model", f"{statement}\n")
    before = package.digest("own.own.model")
    package.write("own/own/helper", "help_out = 2\n")
    assert package.digest("own.own.model") != before


def test_code_digest__reexported_by_a_users_own_package__counts(package):
    package.write("own_all/__init__", "from .model import Model\n")
    package.write("own_all/model", "class Model:\n    x = 1\n")
    before = package.digest("own_all")
    package.write("own_all/model", "class Model:\n    x = 2\n")
    assert package.digest("own_all") != before


def test_code_digest__users_own_module_with_a_syntax_error__counts_as_it_is(package):
    package.write("my_own_model", "x = (\n")
    before = package.digest("my_own_model")
    package.write("my_own_model", "x = [\n")
    assert package.digest("my_own_model") != before


def test_code_digest__estimator_among_the_parameters__counts(package):
    package.write("my_own_model", "x = 1\n")
    spec = ModelSpec.model_validate(
        {
            "class": "sklearn.calibration.CalibratedClassifierCV",
            "params": {"estimator": {"class": "my_own_model.Model"}},
            "family": "ml", "label": "M",
        }
    )  # fmt: skip
    keys.code_digest.cache_clear()
    before = keys.cell_key("table", spec, EvaluationProtocol())
    package.write("my_own_model", "x = 2\n")
    keys.code_digest.cache_clear()
    assert keys.cell_key("table", spec, EvaluationProtocol()) != before


def test_code_digest__installed_module__counts_only_if_it_is_the_packages(package, monkeypatch):
    # A release of another package counts by its version; this one may be installed too.
    monkeypatch.syspath_prepend(package.folder / "site-packages")
    package.write("site-packages/their_model", "x = 1\n")
    before = package.digest("their_model")
    package.write("site-packages/their_model", "x = 2\n")
    assert package.digest("their_model") == before

    monkeypatch.setattr(keys, "PACKAGE", "our_models")
    package.write("site-packages/our_models/__init__", "")
    package.write("site-packages/our_models/tree", "x = 1\n")
    before = package.digest("our_models.tree")
    package.write("site-packages/our_models/tree", "x = 2\n")
    after = package.digest("our_models.tree")
    assert after != before


def test_code_digest__no_such_module__is_left_to_whoever_imports_it(package):
    assert package.digest("no_such_module_anywhere.model") == package.digest("no_such_module")


@pytest.fixture
def changed_source(monkeypatch, tmp_path):
    """Let one module of the project read as if somebody had added a line to it."""
    find = keys._source

    def change(module):
        path = find(module)
        assert path is not None
        copy = tmp_path / "changed.py"
        copy.write_text(path.read_text(encoding="utf-8") + "\nadded = 1\n", encoding="utf-8")
        monkeypatch.setattr(keys, "_source", lambda name: copy if name == module else find(name))
        keys.code_digest.cache_clear()

    keys.code_digest.cache_clear()
    yield change
    keys.code_digest.cache_clear()


@pytest.mark.parametrize(
    "module",
    [
        "model.classifier", "model.estimator", "model.objective", "model.network",
        "model.layers", "model.losses", "model.mixup", "model.training", "model.randomness",
        "model.stacking",
        "model.holdout", "model.devices",
        "data.preprocessing", "evaluation.cells", "evaluation.metrics", "evaluation.search",
        "evaluation.splits", "baselines.specs",
    ],
)  # fmt: skip
def test_cell_key__module_behind_qcl_mixnet_changed__is_another(changed_source, module):
    qcl_mixnet = {
        "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier",
        "preprocess": False,
    }
    before = key(**qcl_mixnet)
    changed_source(f"qcl_mixnet.{module}")
    assert key(**qcl_mixnet) != before


@pytest.mark.parametrize(
    "module",
    [
        "model.network",
        "model.training",
        "model.estimator",
        "baselines.svm",
        "evaluation.statistics",
        "reporting.figures",
    ],
)
def test_cell_key__module_that_the_model_does_not_run_changed__stays(changed_source, module):
    before = key()
    changed_source(f"qcl_mixnet.{module}")
    assert key() == before


def test_cell_key__null_infinity_and_nan__are_three_keys():
    values = (None, float("inf"), float("nan"))
    assert len({key(params={"max_depth": value}) for value in values}) == 3
