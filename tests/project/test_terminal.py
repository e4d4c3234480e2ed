import io
import sys

from qcl_mixnet.project.terminal import take_any_text


def test_take_any_text__encoding_lacks_a_character__its_escape_is_written(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    take_any_text()
    sys.stdout.write("schön")
    sys.stdout.flush()
    assert written.getvalue() == b"sch\\xf6n"
    assert sys.stderr.write("nowhere") == 7
    sys.stderr.close()
