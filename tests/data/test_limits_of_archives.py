"""The archives of UCI and Zenodo unpack no further than the limits."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.limits import LIMITS_VARIABLE
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.uci_har import UciHarSource
from qcl_mixnet.data.sources.zenodo import ZenodoSource


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def laid(file, content):
    """Lay a file where one that was fetched before lies, with the checksum of such."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.with_name(file.name + ".sha256").write_text(hashlib.sha256(content).hexdigest() + "\n")


@pytest.mark.parametrize("nested", [False, True])
def test_har__archive_that_unpacks_to_more_than_the_limit__is_refused(
    tmp_path, monkeypatch, nested
):
    context = FetchContext("t", tmp_path, tmp_path, retries=0)
    rows = b" 1 2\n" * 1000
    parts = {
        f"UCI/{part}/{kind}_{part}.txt": rows if kind == "X" else b"1\n" * 1000
        for part in ("train", "test")
        for kind in "Xy"
    }
    content = zipped({"inner.zip": zipped(parts) + bytes(3000)} if nested else parts)
    laid(tmp_path / "uci/har.zip", content)
    assert UciHarSource().load(context).shape == (2000, 3)
    monkeypatch.setenv(LIMITS_VARIABLE, f"unpacked_bytes={4000 if nested else 4999}")
    with pytest.raises(DataError, match=r"the archive .*har.zip has [\d,]+ bytes after unpacking"):
        UciHarSource().load(context)


def test_zenodo__archive_that_unpacks_to_more_than_the_limit__is_refused_and_leaves_nothing(
    tmp_path, monkeypatch
):
    pytest.importorskip("imblearn")
    context = FetchContext("ecoli", tmp_path, tmp_path, retries=0)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("x1data.npz", "x2data.npz"):
            member = tarfile.TarInfo(name)
            member.size = 3000
            archive.addfile(member, io.BytesIO(bytes(3000)))
    laid(tmp_path / "zenodo/benchmark-imbalanced-learn.tar.gz", packed.getvalue())
    monkeypatch.setenv(LIMITS_VARIABLE, "unpacked_bytes=5999")
    with pytest.raises(DataError, match=r"the archive .* has 6,000 bytes after unpacking"):
        ZenodoSource(name="ecoli").load(context)
    assert [path.name for path in (tmp_path / "zenodo").iterdir() if path.is_dir()] == []
