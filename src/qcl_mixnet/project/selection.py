"""Which nodes a run was asked for: a name that nothing has is told, with the nearest that has."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kedro.pipeline import Pipeline

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.suggestions import did_you_mean, listed

# Kedro's names for its filters: on the command line, and of what they choose.
FILTERS = {
    "tags": ("--tags", "tag"),
    "node_names": ("--nodes", "node"),
    "from_nodes": ("--from-nodes", "node"),
    "to_nodes": ("--to-nodes", "node"),
    "from_inputs": ("--from-inputs", "catalog entry"),
    "to_outputs": ("--to-outputs", "catalog entry"),
    "namespaces": ("--namespaces", "namespace"),
}

MOST = 12  # names that are listed: there is a node for every data set and model


def check_selection(pipelines: Mapping[str, Pipeline], given: Mapping[str, Any]) -> None:
    """Refuse names of pipelines, nodes, tags and so on that there are not.

    Parameters
    ----------
    pipelines : mapping
        The registered pipelines.
    given : mapping
        Arguments of `KedroSession.run`.

    Raises
    ------
    ConfigurationError
        On an unknown name, or when no node has all that was asked for.
    """
    names = given.get("pipeline_names") or ["__default__"]
    for name in names:
        try:
            pipelines[name]
        except KeyError:
            raise ConfigurationError(
                f"Unknown pipeline '{name}'{did_you_mean(name, pipelines)} in --pipelines; choose "
                f"among {listed(set(pipelines) - {'__default__'})}."
            ) from None
    pipeline = Pipeline([pipelines[name] for name in dict.fromkeys(names)])
    chosen = {key: tuple(given[key]) for key in FILTERS if given.get(key)}
    for key, values in chosen.items():
        known = _known(pipeline, key)
        for value in values:
            if value not in known:
                raise ConfigurationError(_unknown(key, value, known, names))
    if chosen:
        _check_not_empty(pipeline, chosen, names)


def check_tuned_model(name: str, models: Collection[str]) -> None:
    """Refuse a model to tune that is not on the roster of models.

    Raises
    ------
    ConfigurationError
        With the nearest name that there is.
    """
    if name not in models:
        raise ConfigurationError(
            f"Unknown model '{name}'{did_you_mean(name, models)} in tuning.model; choose among "
            f"{listed(models)}, or add an entry for it under conf/."
        )


def _known(pipeline: Pipeline, key: str) -> set[str]:
    if key == "tags":
        return {tag for node in pipeline.nodes for tag in node.tags}
    if key == "namespaces":
        return {name for node in pipeline.nodes for name in node.namespace_prefixes if name}
    if key == "from_inputs":
        return {name for node in pipeline.nodes for name in node.inputs}
    if key == "to_outputs":
        return pipeline.all_outputs()
    return {node.name for node in pipeline.nodes}


def _unknown(key: str, value: str, known: Iterable[str], names: Iterable[str]) -> str:
    option, kind = FILTERS[key]
    where = f"in {option} of pipeline {_pipelines(names)}"
    # A model's name stands for its node in a data set, which Kedro wants in full.
    ending = sorted(name for name in known if name.endswith(f".{value}"))
    near = f" (did you mean '{ending[0]}'?)" if ending else did_you_mean(value, known)
    if near:
        return f"Unknown {kind} '{value}'{near} {where}; correct it."
    there = listed((name for name in known if not name.startswith("model.")), MOST)
    choose = f"choose among {there}" if there else f"it has no {kind}s"
    hint = "" if kind == "tag" else "; what belongs to a data set or model is there if the grid has"
    return f"Unknown {kind} '{value}' {where}; {choose}{hint and hint + ' that one'}."


def _check_not_empty(
    pipeline: Pipeline, chosen: Mapping[str, tuple[str, ...]], names: Iterable[str]
) -> None:
    filters = {("node_" + key if key == "namespaces" else key): v for key, v in chosen.items()}
    try:
        pipeline.filter(**filters)
    except ValueError as error:  # every name is known, so it can only be that nothing is left
        options = " and ".join(f"{FILTERS[key][0]}={','.join(v)}" for key, v in chosen.items())
        raise ConfigurationError(
            f"No node of pipeline {_pipelines(names)} is chosen by {options} together; leave one "
            f"of them out."
        ) from error


def _pipelines(names: Iterable[str]) -> str:
    return " and ".join("full" if name == "__default__" else name for name in names)
