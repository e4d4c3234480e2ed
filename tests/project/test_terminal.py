import errno
import io
import logging
import sys

from qcl_mixnet.project.terminal import take_any_text


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_take_any_text__a_full_disk__costs_lines_and_no_tracebacks(monkeypatch, capsys):
    monkeypatch.setattr(logging, "raiseExceptions", True)
    take_any_text()
    logging.StreamHandler(Full()).handle(logging.makeLogRecord({"msg": "lost"}))
    assert capsys.readouterr().err == ""


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
