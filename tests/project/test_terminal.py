import io
import sys

from qcl_mixnet.project.terminal import take_any_text


def test_take_any_text__encoding_lacks_a_character__its_escape_is_written(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    take_any_text()
    print("schön", flush=True)
    assert written.getvalue() == b"sch\\xf6n\n"
    print("nowhere", file=sys.stderr)
    sys.stderr.close()
