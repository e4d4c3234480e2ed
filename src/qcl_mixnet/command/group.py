"""The commands of `qcl-mixnet`, and how each of them ends."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from qcl_mixnet.command.decide import decide
from qcl_mixnet.command.exit_codes import INTERRUPTED
from qcl_mixnet.command.file_flags import with_flags
from qcl_mixnet.command.predict import predict
from qcl_mixnet.command.report import report
from qcl_mixnet.command.try_table import try_table
from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.specs import ModelSpecError
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.version import __version__

# What a user can mend: the message says how, a traceback would hide it.
USER_ERRORS = (
    DataError, SourceUnavailableError, EvaluationError, ModelSpecError, ModelFileError, OSError,
)  # fmt: skip


class Commands(click.Group):
    """Commands that end in one sentence when something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a user's error ends it with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except USER_ERRORS as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click ends quietly where nobody reads on
            raise click.ClickException(_sentence(with_flags(str(error)))) from error
        except KeyboardInterrupt:
            click.echo("Interrupted; nothing was written.", err=True)
            sys.exit(INTERRUPTED)


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


# \b keeps click from joining the lines into a paragraph.
_HELP = """From a table with a rare class to a model and its decision.

\b
qcl-mixnet try churn.csv --target churned
qcl-mixnet predict churn-trial new.csv
qcl-mixnet report churn-trial
qcl-mixnet decide churn-trial --recall yes=0.9
"""


@click.group(cls=Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qcl-mixnet")
def cli() -> None:
    """Hold the commands."""


cli.add_command(try_table)
cli.add_command(predict)
cli.add_command(decide)
cli.add_command(report)
