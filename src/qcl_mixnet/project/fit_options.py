"""What the pipeline `fit` is asked for."""

from pydantic import BaseModel, ConfigDict

from qcl_mixnet.data.names import Name


class FitOptions(BaseModel):
    """A model to fit on a whole data set, and where it is kept; `conf/base/parameters_fit.yml`.

    Names may be left out where nothing is fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name | None = None
    dataset: Name | None = None
    output: Name | None = None
    overwrite: bool = False
