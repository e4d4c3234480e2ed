"""What SECURITY.md promises: no secret is told, and pages are served to this machine alone."""

import logging
import re
from pathlib import Path

import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.files import FileSource
from qcl_mixnet.data.sources.openml import SERVER_VARIABLE, OpenMLSource
from qcl_mixnet.data.sources.uci_har import UciHarSource
from qcl_mixnet.data.sources.zenodo import ZenodoSource

ROOT = Path(__file__).resolve().parents[1]

SECRET = "S3cretPass"
ADDRESS = f"http://alice:{SECRET}@127.0.0.1:9"


@pytest.mark.parametrize(
    "source",
    [
        OpenMLSource(data_id=7, server=ADDRESS),
        UciHarSource(url=f"{ADDRESS}/har.zip?token={SECRET}"),
        ZenodoSource(name="ecoli", url=f"{ADDRESS}/a.tar.gz?key={SECRET}"),
        FileSource(path=f"{ADDRESS}/t.csv?sig={SECRET}#{SECRET}"),
        FileSource(path=f"ftp://alice:{SECRET}@127.0.0.1:9/t.csv"),
        FileSource(path=f"memory://alice:{SECRET}@nowhere/t.csv"),
        UciHarSource(url=f"ftp://alice:{SECRET}@127.0.0.1:9/har.zip"),
    ],
    ids=["openml", "uci", "zenodo", "file", "ftp", "fsspec", "scheme"],
)
def test_source__password_in_the_address__is_in_no_message_log_or_file(
    source, tmp_path, caplog, monkeypatch
):
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    caplog.set_level(logging.DEBUG)
    context = FetchContext("t", tmp_path / "d", tmp_path, retries=1, backoff=0, timeout=1)
    with pytest.raises(DataError) as caught:
        source.load(context)
    told = [str(caught.value), source.describe(), source.remedy(context), caplog.text]
    assert not [text for text in told if SECRET in text]
    for path in tmp_path.rglob("*"):
        assert SECRET not in str(path)
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


UI = re.compile(r"(mlflow (?:server|ui)|kedro viz(?: run)?|mkdocs serve|jupyter lab)\b.*")


def test_user_interfaces__every_command__binds_to_this_machine_alone():
    commands = []
    for file in (ROOT / "Makefile", ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for line in file.read_text(encoding="utf-8").splitlines():
            assert "0.0.0.0" not in line, (file, line)
            if file.name == "Makefile" and UI.search(line) and "##" not in line:
                commands.append(line)
    assert len(commands) >= 2
    assert all("--host=127.0.0.1" in command for command in commands)
