"""What the README tells a new user to do."""

import re
from pathlib import Path

import pytest
import yaml

from qcl_mixnet.data.roster import parse_roster

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_blocks__run(capsys):
    assert blocks("python")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0.9


def test_yaml_blocks__are_roster_entries():
    (block,) = blocks("yaml")
    assert list(parse_roster(yaml.safe_load(block)["datasets"])) == ["churn"]


@pytest.mark.parametrize("command", ["run", "test", "viz", "mlflow", "clean"])
def test_make_targets__exist(command):
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert f"make {command}" in README
    assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE)
