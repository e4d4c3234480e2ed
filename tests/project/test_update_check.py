import importlib

import pytest
from kedro_viz import __version__
from kedro_viz.integrations import pypi

from qcl_mixnet.project.update_check import switch_off_update_check


@pytest.fixture
def asking(monkeypatch):
    """Kedro-Viz as it is installed, with an address where nobody answers."""
    importlib.reload(pypi)
    version = importlib.import_module("kedro_viz.api.rest.responses.version")
    monkeypatch.setattr(version, "get_latest_version", pypi.get_latest_version)
    monkeypatch.setattr(pypi, "_PYPI_ENDPOINT", "https://example.invalid")
    yield pypi, version
    importlib.reload(pypi)
    switch_off_update_check()


def test_switch_off_update_check__asked_before__has_no_address(asking):
    ask = pypi.get_latest_version
    switch_off_update_check()
    assert ask() is None
    assert str(pypi.get_latest_version()) == __version__


def test_switch_off_update_check__the_page__announces_no_newer_version(asking):
    _, version = asking
    switch_off_update_check()
    told = version.get_version_response()
    assert (told.latest, told.installed) == (__version__, __version__)
    assert not told.is_outdated
