"""What the README tells a new user to do."""

import ast
import inspect
import re

from tests.pages import blocks_of

from qcl_mixnet import QCLMixNetClassifier


def test_python_blocks__run(capsys):
    assert blocks_of("README.md", "python")
    names = {}
    for block in blocks_of("README.md", "python"):
        code = block.code.replace("time_limit=20", "time_limit=2")
        exec(compile(code, block.place, "exec"), names)
    report = capsys.readouterr().out
    accuracy = re.search(r"accuracy\s+(\S+)", report)
    assert float(accuracy[1]) > 0.9


def test_constructor_block__holds_every_parameter_with_its_default():
    (block,) = blocks_of("docs/parameters.md", "python")
    call = ast.parse(block.code).body[0].value
    written = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    signature = inspect.signature(QCLMixNetClassifier.__init__).parameters
    defaults = {name: p.default for name, p in signature.items() if name != "self"}
    assert list(written.items()) == list(defaults.items())
