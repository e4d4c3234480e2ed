"""Kedro-Viz asks PyPI for its newest version at every start and page: here it does not."""


def switch_off_update_check() -> None:
    """Keep Kedro-Viz from asking PyPI for its newest version."""
    from kedro_viz.integrations import pypi

    # Kedro-Viz has no setting for it. Without an address its answer is the one it gives offline.
    pypi._PYPI_ENDPOINT = ""
