"""The commands of all pages: options that there are, names that there are, targets and extras.

What a block says is taken apart as a shell would do it, and handed to the very commands, which
read their options and stop there. Tests of single pages run some of them in earnest.
"""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from functools import cache
from itertools import pairwise

import click
import pytest
from click.testing import CliRunner
from tests.pages import PAGES, ROOT, blocks_of

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
VARIABLE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
INLINE = re.compile(r"`((?:kedro|make|qcl-mixnet|pip install|pytest|mlflow|dask) [^`]+)`")
OPTION_CELL = re.compile(r"^\| [^|]+ \| `(--[^`]+)` ?[^|]*\|$", re.MULTILINE)
# An ellipsis, or a word for what the reader has: <data set>, NEW_FILE, [notebook].
PLACEHOLDER = re.compile(r"\.\.\.|<\w|\b[A-Z]+_?FILE\b|\bTRIAL\b|=<|\{")


def words_of(code):
    """The commands of a block of shell, each as a list of words, without what is around them."""
    code = code.replace("\\\n", " ")
    whole = []
    for line in code.splitlines():
        pending = f"{whole.pop()}\n{line}" if whole and whole[-1].count("'") % 2 else line
        whole.append(pending)
    found = []
    for line in whole:
        words = shlex.split(line, comments=True)
        while words and (VARIABLE.fullmatch(words[0]) or words[0] == "srun"):
            words = words[1:]
        if words:
            found.append([word for word in words if word != "&"])
    return found


def commands():
    """Every command that a page shows, in a block or in a line, with the place."""
    for page in PAGES:
        for block in blocks_of(page, "bash"):
            for words in words_of(block.code):
                yield block.place, words
        text = re.sub(r"^( *)```.*?^\1```", "", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)
        for code in INLINE.findall(text):
            if not PLACEHOLDER.search(code):
                yield page, shlex.split(code)
        if page == "docs/running.md":
            for options in OPTION_CELL.findall(text):
                given = [] if "--pipelines" in options else ["--pipelines=full"]
                yield page, ["kedro", "run", *given, *shlex.split(options)]


COMMANDS = {tuple(words): place for place, words in commands()}


def of(*first):
    """Commands that begin with some words, as parameters of a test."""
    return [
        pytest.param(list(words[len(first) :]), id=f"{place} {' '.join(words)}"[:90])
        for words, place in COMMANDS.items()
        if words[: len(first)] == first
    ]


CHECKED = (
    "kedro", "make", "qcl-mixnet", "pip", "dask", "mlflow", "curl", "export", "source", "cd",
    "pytest",
)  # fmt: skip


def test_commands__are_many_and_all_checked_by_a_test():
    assert len(COMMANDS) > 60
    assert {words[0] for words in COMMANDS} == set(CHECKED)


def test_words_of__what_is_around_a_command__is_left_out():
    code = "A=1 srun dask worker x --n 1 \\\n  --m 2 &\ncd /x  # why\ncurl -d '{\n 1}' z\n"
    assert words_of(code) == [
        ["dask", "worker", "x", "--n", "1", "--m", "2"],
        ["cd", "/x"],
        ["curl", "-d", "{\n 1}", "z"],
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page, "bash")])
def test_bash_blocks__are_shell(page):
    for block in blocks_of(page, "bash"):
        done = subprocess.run(
            ["bash", "-n"], input=block.code, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block.place}: {done.stderr}"


def parse(command, words):
    """Read the options of a command, and run nothing."""
    return command.make_context(command.name, list(words))


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """The project's configuration, with the data set that docs/running.md has its reader add."""
    conf = shutil.copytree(ROOT / "conf", tmp_path_factory.mktemp("churn") / "conf")
    shutil.rmtree(conf / "local")
    (conf / "local").mkdir()
    (entry,) = blocks_of("docs/running.md", "yaml")
    (conf / "local" / "datasets.yml").write_text(entry.code, encoding="utf-8")
    return conf


@pytest.fixture(scope="module")
def kedro_configuration(conf):
    """Takes the words behind `kedro run`, and checks options and parameters as a run does."""
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(ROOT)
    from qcl_mixnet.project.cli import run

    @cache
    def configuration(env, params):
        loader = settings.CONFIG_LOADER_CLASS(
            conf, env, runtime_params=json.loads(params), **settings.CONFIG_LOADER_ARGS
        )
        return loader.configuration

    def check(words):
        given = parse(run, words).params
        return configuration(given["env"], json.dumps(given["params"]))

    return check


@pytest.mark.parametrize("words", of("kedro", "run"))
def test_kedro_run__options_and_parameters__are_taken(words, kedro_configuration):
    assert kedro_configuration(words).grid.models


@pytest.mark.parametrize(
    "words", [["--params=protocol.sede=1"], ["--env=tset"], ["--pipline=full"]]
)
def test_kedro_run__a_mistyped_word__is_refused(words, kedro_configuration):
    with pytest.raises((ValueError, click.ClickException), match=r"did you mean|No such option"):
        kedro_configuration(words)


@pytest.fixture(scope="module")
def kedro_run(conf, tmp_path_factory):
    """Takes the words behind `kedro run`, which stops before any node runs."""
    from kedro.framework.project import pipelines
    from kedro.framework.startup import bootstrap_project

    metadata = bootstrap_project(ROOT)
    from qcl_mixnet.project.cli import cli
    from qcl_mixnet.project.selection import check_selection
    from qcl_mixnet.project.session import BenchmarkSession

    def checked(session, **given):
        session.load_context()
        check_selection(pipelines, given)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("mlflow")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setattr(BenchmarkSession, "run", checked)
        own = ["run", f"--conf-source={conf}"]
        yield lambda words: CliRunner().invoke(cli, [*own, *words], obj=metadata)


@pytest.mark.slow
@pytest.mark.parametrize("words", of("kedro", "run"))
def test_kedro_run__pipelines_nodes_and_runners__exist(words, kedro_run):
    done = kedro_run(words)
    assert done.exit_code == 0, done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["--pipelines=ful"], ["--nodes=glass.knnn"], ["--runner=DaskRuner"],
     ["--params=grid.models=xgbost"],
     ["--pipelines=fit", "--params=fit.model=xgboos,fit.dataset=glass"]],
)  # fmt: skip
def test_kedro_run__a_mistyped_name__is_refused(words, kedro_run):
    assert kedro_run(words).exit_code != 0


@pytest.mark.parametrize(
    "words", [p for p in of("kedro") if p.values[0][0] not in {"run", "command"}]
)
def test_kedro__other_commands__exist(words):
    from qcl_mixnet.project.cli import cli

    command, context = cli, click.Context(cli)
    for word in [word for word in words if not word.startswith("-")]:
        command = command.get_command(context, word)
        assert command is not None, word


@pytest.mark.parametrize("words", of("qcl-mixnet"))
def test_qcl_mixnet__options__are_taken(words):
    from qcl_mixnet.command.group import cli

    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    if len(words) > 1:
        parse(command, words[1:])


@pytest.mark.parametrize("words", of("dask"))
def test_dask__options__are_taken(words):
    from distributed.cli import dask_scheduler, dask_worker

    if "--runner" in " ".join(words):
        return
    command = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[words[0]]
    context = parse(command, words[1:])
    unknown = [w for w in context.params["preload_argv"] if w.startswith("-")]
    assert unknown == []


@pytest.mark.parametrize("words", of("mlflow"))
def test_mlflow__options__are_taken(words):
    from mlflow.cli import cli

    command, context = cli, click.Context(cli)
    names = [word for word in words if re.fullmatch("[a-z]+", word)]
    for name in names:
        command = command.get_command(context, name)
        assert command is not None, name
    parse(command, words[len(names) :])


@pytest.mark.parametrize("words", of("make"))
def test_make__targets_and_variables__exist(words):
    assert words, "make without a target"
    for word in words:
        if variable := VARIABLE.fullmatch(word):
            assert re.search(rf"^{variable[1]} *[?:]?=|\$\({variable[1]}\)", MAKEFILE, re.M), word
        else:
            assert re.search(rf"^{re.escape(word)}:", MAKEFILE, re.M), word


@cache
def extras():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return set(settings["project"]["optional-dependencies"])


@pytest.mark.parametrize("words", of("pip", "install"))
def test_pip__extras_and_files__exist(words):
    assert words
    asked = {name for word in words for name in re.findall(r"\[([\w,]+)\]", word)}
    assert {name for names in asked for name in names.split(",")} <= extras()
    for flag, value in pairwise(words):
        if flag in {"-c", "-r"}:
            assert (ROOT / value).is_file()
    for word in (w for w in words if not w.startswith("-") and not w.endswith(".lock")):
        assert re.fullmatch(r"\.(\[[\w,]+\])?", word), word  # no stranger's package of this name


@pytest.mark.parametrize("words", of("pytest"))
def test_pytest__files_and_folders__exist(words):
    for word in words:
        if word.startswith("tests"):
            assert (ROOT / word).exists(), word


@pytest.mark.parametrize("words", of("curl"))
def test_curl__sends__json(words):
    json.loads(words[words.index("-d") + 1])


@pytest.mark.parametrize("words", of("export"))
def test_export__variables__are_known(words):
    name = VARIABLE.fullmatch(words[0])[1]
    known = "".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    assert name in known or name in MAKEFILE
