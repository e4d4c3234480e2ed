"""Run the packaged project: ``python -m qcl_mixnet --pipelines=full``."""

import sys

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: str) -> None:
    """Run the project's ``kedro run`` with these arguments."""
    configure_project("qcl_mixnet")
    run = find_run_command("qcl_mixnet")
    run(list(args) or sys.argv[1:])


if __name__ == "__main__":
    main()
