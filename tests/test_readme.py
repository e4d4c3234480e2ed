"""What the README tells a new user to do."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import yaml

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.data.roster import parse_roster

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def test_python_blocks__run(capsys):
    assert blocks("python")
    names = {}
    for block in blocks("python"):
        exec(compile(block.replace("time_limit=20", "time_limit=2"), "README.md", "exec"), names)
    report = capsys.readouterr().out
    accuracy = re.search(r"accuracy\s+(\S+)", report)
    assert float(accuracy[1]) > 0.9


def test_constructor_block__holds_every_parameter_with_its_default():
    page = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    (block,) = blocks("python", page)
    call = ast.parse(block).body[0].value
    written = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    signature = inspect.signature(QCLMixNetClassifier.__init__).parameters
    defaults = {name: p.default for name, p in signature.items() if name != "self"}
    assert list(written.items()) == list(defaults.items())


def test_yaml_blocks__are_roster_entries():
    (block,) = blocks("yaml")
    assert list(parse_roster(yaml.safe_load(block)["datasets"])) == ["churn"]


@pytest.mark.parametrize("command", ["run", "test", "viz", "mlflow", "clean"])
def test_make_targets__exist(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"make {command}" in README
    assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE)
