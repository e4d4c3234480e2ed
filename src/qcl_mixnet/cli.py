"""The project's commands, in the module where Kedro looks for them by its name."""

from qcl_mixnet.project.cli import cli

__all__ = ["cli"]
