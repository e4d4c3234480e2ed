"""Where the project and its configuration are."""

from pathlib import Path

from kedro.utils import find_kedro_project

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.suggestions import did_you_mean, listed
from qcl_mixnet.writing import user_path


def project_root() -> Path:
    """Folder with `conf/` and `data/`: around this source tree, else the current project."""
    here = Path(__file__).resolve().parents[3]
    if (here / "conf").is_dir():
        return here
    return Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve()


def expanded(path: str | int | float | Path) -> str:
    """Give a path of the configuration as an absolute one: the same place from every folder.

    `~` is the user's home, and a relative path is relative to the project folder, not to the
    working directory. A number names a folder, too (YAML reads `2020` as one); an address such as
    `s3://bucket/data` is left as it is.

    Raises
    ------
    ConfigurationError
        When nothing is given, or the home folder of a user whom this machine does not know.
    """
    if isinstance(path, bool) or not isinstance(path, (str, int, float, Path)) or path == "":
        raise ConfigurationError(
            f"A path in the configuration is {path!r}, which names no folder or file; give one, "
            f"such as data, ~/data or /a/folder."
        )
    text = str(path)
    if "://" in text:
        return text
    try:
        return str(project_root() / user_path(text))
    except ValueError as error:
        raise ConfigurationError(f"A path in the configuration: {error}") from error


def check_environment(conf_source: str, env: str | None) -> None:
    """Refuse a folder of configuration that is not there, and an environment without a folder.

    Addresses and archives, which Kedro takes as well, are left to Kedro.

    Raises
    ------
    ConfigurationError
        With the environments that there are.
    """
    folder = Path(conf_source)
    if "://" in conf_source or folder.is_file():
        return
    if not (folder / "base").is_dir():
        raise ConfigurationError(
            f"There is no configuration in {folder}: run this in the project's folder, or name "
            f"the folder that holds conf/base with --conf-source=/a/project/conf (a package "
            f"brings none; take it from the project's repository)."
        )
    if env and not (folder / env).is_dir():
        known = [path.name for path in folder.iterdir() if path.is_dir()]
        raise ConfigurationError(
            f"Unknown environment '{env}'{did_you_mean(env, known)} in --env or KEDRO_ENV; choose "
            f"among {listed(known)}, or make the folder {folder / env}."
        )
