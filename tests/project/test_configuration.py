from pathlib import Path

import pytest

from qcl_mixnet.project import configuration
from qcl_mixnet.project.configuration import expanded, project_root
from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def test_project_root__source_tree__is_around_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_root() == ROOT


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The package somewhere without a ``conf/`` around it."""
    place = tmp_path / "site-packages" / "qcl_mixnet" / "project/configuration.py"
    monkeypatch.setattr(configuration, "__file__", str(place))


def test_project_root__installed__is_the_current_project(installed, monkeypatch):
    monkeypatch.chdir(ROOT / "src")
    assert project_root() == ROOT


def test_project_root__installed_and_no_project__is_the_current_folder(
    installed, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path.resolve()


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("data", ROOT / "data"),
        ("a b/Übung", ROOT / "a b/Übung"),
        ("~/x", Path("/home/someone/x")),
        ("~", Path("/home/someone")),
        ("./~x", ROOT / "~x"),
        ("/a/folder", Path("/a/folder")),
        (2020, ROOT / "2020"),
        (Path("~/x"), Path("/home/someone/x")),
    ],
)
def test_expanded__any_spelling__is_the_same_place_from_every_folder(
    monkeypatch, tmp_path, given, place
):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert Path(expanded(given)) == place


def test_expanded__address__is_left_as_it_is():
    assert expanded("s3://bucket/data") == "s3://bucket/data"


@pytest.mark.parametrize("given", ["", None, True, ["a"]])
def test_expanded__nothing_that_names_a_folder__is_told(given):
    with pytest.raises(ConfigurationError, match="which names no folder or file; give one"):
        expanded(given)


def test_expanded__home_of_nobody__is_told_and_makes_no_folder_of_that_name():
    with pytest.raises(ConfigurationError, match=r"'~no_such_user/x' names the home of a user"):
        expanded("~no_such_user/x")
