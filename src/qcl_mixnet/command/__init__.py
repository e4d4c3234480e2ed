"""The command `qcl-mixnet`: from a table of one's own to a model, without a project folder."""

import sys


def main() -> None:
    """Run the command, or say what it lacks."""
    try:
        from qcl_mixnet.command.group import cli
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("qcl_mixnet"):
            raise
        sys.exit(
            f"qcl-mixnet needs the package {error.name}, which is not installed; install what the "
            "command needs with: pip install 'qcl-mixnet[command]'"
        )
    cli(prog_name="qcl-mixnet")
