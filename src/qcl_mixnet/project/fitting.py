"""What the parameters of the pipeline `fit` name: checked before anything is fitted."""

from pathlib import Path
from typing import NamedTuple

from qcl_mixnet.evaluation.specs import ModelSpecError
from qcl_mixnet.keeping.keepers import check_keepable
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.project.configuration import expanded
from qcl_mixnet.project.fit_options import FitOptions
from qcl_mixnet.project.grid_names import nameable
from qcl_mixnet.project.parameters import Configuration, ConfigurationError
from qcl_mixnet.suggestions import did_you_mean, listed


class FitNames(NamedTuple):
    """Names of a model and of a data set, both on their rosters."""

    model: str
    dataset: str


def fit_names(configuration: Configuration) -> FitNames:
    """Check which model is to be fitted on which data set, and that it can be kept.

    Raises
    ------
    ConfigurationError
        When a name is not given or not on its roster, or nobody can keep the model.
    """
    options = configuration.fit
    model = _known("model", options.model, nameable(configuration.models))
    dataset = _known("dataset", options.dataset, list(configuration.datasets))
    try:
        check_keepable(configuration.models[model])
    except (ModelFileError, ModelSpecError) as error:
        raise ConfigurationError(f"The model '{model}' of fit.model is refused: {error}") from error
    return FitNames(model, dataset)


def _known(key: str, name: str | None, known: list[str]) -> str:
    kind = {"model": "model", "dataset": "data set"}[key]
    if name is None:
        raise ConfigurationError(
            f"Parameter 'fit.{key}' is not given; say which {kind} to fit with "
            f"--params=fit.model=knn,fit.dataset=glass, for example."
        )
    if name not in known:
        raise ConfigurationError(
            f"Unknown {kind} '{name}'{did_you_mean(name, known)} in fit.{key}; choose among "
            f"{listed(known)}, or add an entry for it under conf/."
        )
    return name


def fit_folder(options: FitOptions, kept_models: Path) -> Path:
    """Find the folder that the model is to be kept in, before any training.

    Raises
    ------
    ConfigurationError
        When something is there that must not be replaced.
    """
    given = options.output
    folder = (
        kept_models / f"{options.dataset}.{options.model}"
        if given is None
        else Path(expanded(given))
    )
    there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if there and not options.overwrite:
        raise ConfigurationError(
            f"{folder} exists; name another folder with --params=fit.output=/a/folder, or replace "
            f"a model that is kept there with fit.overwrite=true."
        )
    return folder
