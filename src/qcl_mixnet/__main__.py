"""Run the packaged project: `python -m qcl_mixnet --pipelines=full --conf-source=/a/conf`."""

import sys

from kedro.framework.project import configure_project


def main(*args: str) -> None:
    """Run the project's `kedro run` with these arguments."""
    configure_project("qcl_mixnet")
    from qcl_mixnet.project.cli import run  # reads the settings that were just configured

    run(list(args) or sys.argv[1:])


if __name__ == "__main__":
    main()
