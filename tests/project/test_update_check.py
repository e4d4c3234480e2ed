from kedro_viz.integrations import pypi

from qcl_mixnet.project.update_check import switch_off_update_check


def test_switch_off_update_check__asked_for_the_newest_version__answers_as_if_offline(monkeypatch):
    monkeypatch.setattr(pypi, "_PYPI_ENDPOINT", "https://example.invalid")
    switch_off_update_check()
    assert pypi.get_latest_version() is None
