"""What ``make run`` would do, in folders with spaces and umlauts, moved and copied."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def folder(tmp_path):
    """A project with a .venv that is up to date."""
    folder = tmp_path / "Ordner mit Übung"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=folder, check=True)
    python = folder / ".venv/bin/python"
    # As pip writes it where a path has spaces.
    (folder / ".venv/bin/pip").write_text(
        f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    )
    (folder / ".venv/.project").touch()
    return folder


def would_do(folder):
    done = subprocess.run(
        ["make", "-n", "run", "ENV=test"], cwd=folder, capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.split())


def test_make_run__all_in_place__runs_at_once(folder):
    assert would_do(folder) == ".venv/bin/kedro run --pipelines=full --env=test"


@pytest.mark.parametrize("move", [Path.rename, shutil.copytree], ids=["moved", "copied"])
def test_make_run__folder_elsewhere__builds_the_environment_anew(folder, move):
    elsewhere = folder.parent / "anderswo"
    move(folder, elsewhere)
    commands = would_do(elsewhere)
    assert "-m venv --clear .venv" in commands
    assert "pip install" in commands.replace(
        "pip --disable-pip-version-check install", "pip install"
    )
    assert commands.endswith("kedro run --pipelines=full --env=test")


def test_make_run__python_removed__builds_the_environment_anew(folder):
    python = folder / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert "-m venv --clear .venv" in would_do(folder)


def test_make_run__environment_is_a_link__is_left_alone(folder):
    target = folder.parent / "environment"
    (folder / ".venv").rename(target)
    (folder / ".venv").symlink_to(target)
    pip = target / "bin/pip"
    pip.write_text(f"#!{target}/bin/python\n")
    assert would_do(folder) == ".venv/bin/kedro run --pipelines=full --env=test"


def test_make_run__no_environment_yet__builds_one(folder):
    shutil.rmtree(folder / ".venv")
    assert "-m venv --clear .venv" in would_do(folder)
