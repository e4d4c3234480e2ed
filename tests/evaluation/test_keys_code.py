"""Which code a key covers, shown on a package on disk that tests may change."""

import importlib
import sys

import pytest

from qcl_mixnet.evaluation import keys
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

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
