"""The command `qcl-mixnet`: from a table of one's own to a model, without a project folder."""

import io
import sys

from qcl_mixnet.command.exit_codes import INTERRUPTED


def main() -> None:
    """Run the command, or say what it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters that a file has
            stream.reconfigure(errors="replace")
    try:
        from qcl_mixnet.command.group import cli
    except KeyboardInterrupt:  # packages take a second; later ones end in the group
        sys.stderr.write("Interrupted; nothing was written.\n")
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("qcl_mixnet"):
            raise
        sys.exit(
            f"qcl-mixnet needs the package {error.name}, which is not installed; install what the "
            "command needs with: pip install 'qcl-mixnet[command]'"
        )
    cli(prog_name="qcl-mixnet")
