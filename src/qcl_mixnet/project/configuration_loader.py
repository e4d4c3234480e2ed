"""Kedro's configuration loader, whose refusals name the file and the remedy in one sentence."""

import copy
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import CollectionEndEvent, CollectionStartEvent, MarkedYAMLError, YAMLError

from qcl_mixnet.project.configuration import check_environment
from qcl_mixnet.project.grid_names import untuned, with_names_as_text, with_tuned_models
from qcl_mixnet.project.parameters import (
    Configuration,
    ConfigurationError,
    parse_configuration,
)

# The entries of data sets and models, which inference and speed do not need.
ROSTER_FILES = ("datasets*", "models/*")
# The compiled one where PyYAML was built with it: what names a file has is read on every run.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SUFFIXES = {".yml", ".yaml", ".json"}
_MOST_LEVELS, _SURELY_SHALLOW = 100, 2_000
_UNREADABLE = (YAMLError, OmegaConfBaseException, ValueError, RecursionError)


class ProjectConfigLoader(OmegaConfigLoader):
    """Read `conf/`, and say what is wrong with it.

    A file of the roster that cannot be read is left out, so that it does not stop the pipelines
    that use no roster; `unreadable` says what is wrong with it.
    """

    def __init__(self, conf_source: str | Path, env: str | None = None, **kwargs: Any) -> None:
        self.unreadable: dict[Path, str] = {}
        self._parameters_of_run: dict[str, Any] | None = None
        conf_source = os.path.expanduser(conf_source)
        check_environment(conf_source, env)
        super().__init__(conf_source, env, **kwargs)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Get the merged configuration of one kind, such as "parameters".

        Raises
        ------
        ConfigurationError
            When a file of it cannot be read, or files contradict each other.
        """
        if key != "parameters" or key in self:
            return self._load(key)
        # Kedro asks for them a dozen times a run, and the files of the roster are many.
        if self._parameters_of_run is None:
            self._parameters_of_run = self._load_readable(key)
        return copy.deepcopy(self._parameters_of_run)

    def _load_readable(self, key: str) -> dict[str, Any]:
        """Load without the files of the roster that cannot be read."""
        try:
            return self._load(key)
        except ConfigurationError:
            self.unreadable = dict(self._problems(ROSTER_FILES))
            if not self.unreadable:
                raise
        return self._load(key)

    def _load(self, key: str) -> dict[str, Any]:
        try:
            found = super().__getitem__(key)
            return with_tuned_models(with_names_as_text(found)) if key == "parameters" else found
        except ConfigurationError:
            raise
        except (*_UNREADABLE, TypeError, AttributeError) as error:
            problems = [problem for _, problem in self._problems(self.config_patterns[key])]
            if not problems and isinstance(error, TypeError | AttributeError):
                raise  # not the fault of a file
            problem = problems[0] if problems else _first_sentence(error)
            raise ConfigurationError(f"{problem}; correct it.") from error

    @cached_property
    def configuration(self) -> Configuration:
        """All of the parameters, those of `conf/` and those of the run, checked.

        Raises
        ------
        ConfigurationError
            When something in them cannot be used. An entry of the roster that is not in the grid
            and not in the runtime parameters is left out with a warning instead.
        """
        parameters = self["parameters"]
        for problem in self.unreadable.values():
            raise ConfigurationError(f"{problem}; correct it.")

        files = [
            (str(path), yaml.load(path.read_bytes(), YAML_LOADER))
            for path in self.files(self.config_patterns["parameters"])
        ]

        def place(section: str, name: object) -> str:
            """The file that an entry stands in: the last that has it wins."""
            for path, entries in reversed(files):
                own = (entries.get(section) or {}) if isinstance(entries, dict) else {}
                if name in own or untuned(name) in own:
                    return path
            return "conf/"

        return parse_configuration(parameters, self.runtime_params, place)

    def files(self, patterns: Iterable[str]) -> Iterator[Path]:
        """Files of this loader's environments that match any of some patterns, in their order."""
        for env in dict.fromkeys((self.base_env, self.env or self.default_run_env)):
            for pattern in patterns:
                for path in sorted(Path(self._get_conf_env_path(env)).glob(pattern)):
                    hidden = path.name.startswith(".")
                    if path.suffix in SUFFIXES and path.is_file() and not hidden:
                        yield path

    def _problems(self, patterns: Iterable[str]) -> Iterator[tuple[Path, str]]:
        for path in self.files(patterns):
            if problem := _problem(path):
                yield path, problem

    def _is_valid_config_path(self, path: Path) -> bool:
        # Kedro asks this of every file that it finds.
        is_valid = super()._is_valid_config_path(path) and Path(path) not in self.unreadable
        if is_valid and _is_too_deep(Path(path).read_bytes()):
            raise ConfigurationError(f"{path}: this is nested too deep; correct it.")
        return is_valid


def _is_too_deep(content: bytes) -> bool:
    """Whether YAML is nested so deep that the compiled loader would run out of stack, and crash."""
    if len(content) < _SURELY_SHALLOW:  # a level takes a byte at least
        return False
    depth = 0
    try:
        for event in yaml.parse(content, YAML_LOADER):
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > _MOST_LEVELS:
                return True
    except (YAMLError, ValueError):  # told with its line by whoever reads it
        return False
    return False


def _problem(path: Path) -> str | None:
    """Say why a file is not the YAML that it should be, with the line where that is known."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return f"{path}, line {line}: this is not UTF-8 (byte 0x{content[error.start]:02x})"
    try:
        holds_names = isinstance(OmegaConf.create(text or "{}"), DictConfig)
    except MarkedYAMLError as error:
        if (mark := error.problem_mark or error.context_mark) is None:
            return f"{path}: {_first_sentence(error)}"
        there = [*text.splitlines(), ""][mark.line][mark.column : mark.column + 1]
        tab = " (a tab; indent with spaces)" if there == "\t" else ""
        return f"{path}, line {mark.line + 1}: {error.problem or error.context}{tab}"
    except _UNREADABLE as error:
        return f"{path}: {_first_sentence(error)}"
    return None if holds_names else f"{path}: this is a list, where names with values should be"


def _first_sentence(error: Exception) -> str:
    """Give an error's message without the lines in which OmegaConf says where in its own objects.

    What a resolver of ours refuses reaches us as OmegaConf's error with our message in it.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("full_key:", "object_type="))]
    return (
        " ".join(kept)
        .removeprefix(f"{ConfigurationError.__name__} raised while resolving interpolation: ")
        .rstrip(".;")
    )
