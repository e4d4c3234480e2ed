"""What the pipeline `try` is asked for."""

from typing import Annotated

from pydantic import BeforeValidator

from qcl_mixnet.data.names import Name
from qcl_mixnet.project.grid_names import names_of
from qcl_mixnet.trial.opening import TableOptions
from qcl_mixnet.trial.plan import TrialOptions


class TryOptions(TableOptions, TrialOptions):
    """A file to try models on; see `conf/base/parameters_try.yml`.

    Attributes
    ----------
    table : str or None
        The file; may be left out where nothing is tried.
    output : str or None
        Folder of the results; None: `<data_root>/06_models/trials/<name of the file>`.
    overwrite, keep : bool
        As of `try_file`.
    """

    table: Name | None = None
    output: Name | None = None
    overwrite: bool = False
    keep: bool = False
    models: Annotated[list[str] | None, BeforeValidator(names_of)] = None

    def table_options(self) -> TableOptions:
        """What is said of the file."""
        return TableOptions(**self.model_dump(include={*TableOptions.model_fields}))

    def trial_options(self) -> TrialOptions:
        """What is said of the trial."""
        return TrialOptions(**self.model_dump(include={*TrialOptions.model_fields}))
