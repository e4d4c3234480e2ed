"""Kedro-Viz asks PyPI for its newest version at every start and page: here it does not."""

import sys
from typing import Any


def switch_off_update_check() -> None:
    """Keep Kedro-Viz from asking PyPI for its newest version.

    The version that is installed is given as the newest. Without any, as where PyPI is out of
    reach, its page announces "Kedro-Viz None" in a yellow banner.
    """
    from kedro_viz.integrations import pypi

    # Kedro-Viz has no setting for it. Who imported the function before has no address to ask.
    pypi._PYPI_ENDPOINT = ""
    pypi.get_latest_version = installed_version
    if imported := sys.modules.get("kedro_viz.api.rest.responses.version"):
        imported.get_latest_version = installed_version  # type: ignore[attr-defined]


def installed_version() -> Any:
    """Version of Kedro-Viz that is installed."""
    from kedro_viz.integrations import pypi

    return pypi.parse(pypi.__version__)
