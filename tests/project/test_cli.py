"""Commands that end before anything is loaded: one sentence and an exit code."""

import importlib.util
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.startup import bootstrap_project

from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def commands():
    """The project's commands, as Kedro finds them."""
    metadata = bootstrap_project(ROOT)
    from qcl_mixnet.project.cli import cli

    return lambda *args: CliRunner().invoke(cli, args, obj=metadata)


def test_kedro__looks_for_commands__takes_those_of_the_project_first():
    from kedro.framework.cli.cli import KedroCLI

    from qcl_mixnet.project.cli import cli

    assert KedroCLI(project_path=ROOT).project_groups[0] is cli


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--runner=Sequential"], 1, "Unknown runner 'Sequential' (did you mean 'SequentialR"),
        (
            ["--runner=Task"],
            1,
            "Unknown runner 'Task' in --runner; choose among DaskRunner, Par",
        ),
        (["--runner=no.such.Runner"], 1, "Unknown runner 'no.such.Runner' in --runner"),
        (
            ["--runner=ThreadRunner", "--runner-params=max_worker=2"],
            1,
            "ThreadRunner takes no option 'max_worker' (did you mean 'max_workers'?) in",
        ),
        (["--env=tset"], 1, "Unknown environment 'tset' (did you mean 'test'?) in --env"),
        (["--params=grid.datasets"], 2, "--params has 'grid.datasets', which is no name=value;"),
        (["--params==3"], 2, "--params has '=3', which is no name=value;"),
        (["--params=grid.models=[knn,mlp]"], 2, "--params gives 'grid.models' the value '[knn'"),
        (["--pipelines=full", "--pipeline=full"], 1, "cannot be used together"),
        (["--load-versions=x"], 1, "Expected the form of 'load_versions'"),
        (["--conf-source=/no/such/folder"], 2, "Path '/no/such/folder' does not exist"),
        (["--tag=ml"], 2, "No such option"),
    ],
)
def test_run__mistyped_option__is_one_sentence(commands, options, code, sentence):
    done = commands("run", *options)
    assert done.exit_code == code
    assert sentence in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", [["run"], ["registry", "list"], ["catalog", "list-patterns"]])
def test_command__unknown_environment_of_the_process__is_one_sentence(
    commands, monkeypatch, command
):
    monkeypatch.setenv("KEDRO_ENV", "papr")
    done = commands(*command)
    assert done.exit_code == 1
    assert "Error: Unknown environment 'papr' (did you mean 'paper'?)" in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("pipelines: full\n", "has no section 'run'"),
        ("- run\n", "has no section 'run'"),
        ("run: [", "is no YAML"),
        ("run: {pipelin: full}\n", "Key `pipelin` in provided configuration is not valid."),
    ],
)
def test_run__bad_file_of_options__is_one_sentence(commands, tmp_path, content, sentence):
    (tmp_path / "run.yml").write_text(content)
    done = commands("run", f"--config={tmp_path / 'run.yml'}")
    assert done.exit_code in {1, 2}
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_notebook_commands__packages_missing__say_how_to_install_them(commands, monkeypatch):
    def missing(name):
        raise KedroCliError(f"Module '{name}' not found.") from ModuleNotFoundError(name=name)

    monkeypatch.setattr("kedro.framework.cli.jupyter._check_module_importable", missing)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for command, package in ((["jupyter", "lab"], "jupyterlab"), (["ipython"], "IPython")):
        done = commands(*command)
        assert done.exit_code == 1
        assert done.output == (
            f"Error: {package} is not installed; install what notebooks need with: "
            f'pip install -e ".[notebook]"\n'
        )


def test_ipython__starts_that_of_this_python(commands, monkeypatch):
    called = []
    monkeypatch.setattr("qcl_mixnet.project.cli.call", called.append)
    monkeypatch.setenv("KEDRO_ENV", "test")
    assert commands("ipython", "--env=paper", "--quick").exit_code == 0
    assert called[0][1:] == ["-m", "IPython", "--ext", "kedro.ipython", "--quick"]


@pytest.fixture
def parameters(commands):
    from qcl_mixnet.project.cli import run

    def read(text):
        context = run.make_context("run", [f"--params={text}"])
        return context.params["params"]

    return read


@pytest.mark.parametrize("name", ["2020", "1e5", "true", "null", "on", "2020-01-01", "0x10", "007"])
def test_params__word_where_a_name_is_meant__stays_as_typed(parameters, name):
    given = parameters(f"grid.datasets={name},grid.models={name}+knn,statistics.control={name}")
    assert given["grid"] == {"datasets": name, "models": f"{name}+knn"}
    assert given["statistics"] == {"control": name}


def test_params__values__are_what_yaml_says(parameters):
    text = "protocol.seed=7,inference.table=null,data_root=2020,models.a.params.x=on"
    assert parameters(text) == {
        "protocol": {"seed": 7}, "inference": {"table": None}, "data_root": "2020",
        "models": {"a": {"params": {"x": True}}},
    }  # fmt: skip
    assert parameters("grid.models=[knn]") == {"grid": {"models": ["knn"]}}


def test_config__lists__are_joined_for_kedro(commands, tmp_path):
    from qcl_mixnet.project.cli import run

    (tmp_path / "run.yml").write_text(
        "run: {pipelines: [training, evaluation], tags: ml, params: {protocol: {seed: 3}}}\n"
    )
    given = run.make_context("run", [f"--config={tmp_path / 'run.yml'}"]).params
    assert given["pipelines"] == ["training", "evaluation"]
    assert given["tags"] == ["ml"]
    assert given["params"] == {"protocol": {"seed": 3}}


def test_conf_source__home__is_expanded(commands, monkeypatch, tmp_path):
    from qcl_mixnet.project.cli import run

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "conf").mkdir()
    given = run.make_context("run", ["--conf-source=~/conf"]).params
    assert given["conf_source"] == str((tmp_path / "conf").resolve())


def test_errors_in_one_sentence__error_of_the_user__is_a_message(commands):
    from qcl_mixnet.project.cli import errors_in_one_sentence

    with pytest.raises(click.ClickException, match="what to change"), errors_in_one_sentence():
        raise ConfigurationError("what to change")
    with pytest.raises(ZeroDivisionError), errors_in_one_sentence():  # a fault is no user's
        raise ZeroDivisionError


def test_package__no_configuration_around__says_how_to_name_one(commands, monkeypatch, tmp_path):
    from qcl_mixnet import __main__ as package

    monkeypatch.setattr("qcl_mixnet.project.cli.project_root", lambda: tmp_path)
    monkeypatch.setattr("qcl_mixnet.project.configuration.project_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(click.Command("x", callback=lambda: package.main("--env=base")))
    assert done.exit_code == 1
    assert f"Error: There is no configuration in {tmp_path / 'conf'}: run this in" in done.output
    assert "--conf-source=/a/project/conf" in done.output
