"""Small files that ask for much: each is refused in one sentence, before it has it."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from qcl_mixnet.data import limits
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.limits import LIMITS_VARIABLE, Limits, check_shape, read_bounded
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.arff_file import read_arff
from qcl_mixnet.data.sources.files import FileSource
from qcl_mixnet.data.sources.kaggle import KaggleCsvSource
from qcl_mixnet.data.sources.opening import unpacked


@pytest.fixture
def limited(monkeypatch):
    """Set limits of the process."""

    def limit(**values):
        text = ",".join(f"{name}={value}" for name, value in values.items())
        monkeypatch.setenv(LIMITS_VARIABLE, text)

    monkeypatch.delenv(LIMITS_VARIABLE, raising=False)
    return limit


@pytest.fixture
def read(tmp_path):
    """Read a file of some content as a source does."""

    def read(name, content, **options):
        (tmp_path / name).write_bytes(content)
        context = FetchContext("t", tmp_path / "downloads", tmp_path)
        return FileSource(path=str(tmp_path / name), **options).read(context)

    return read


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(name, content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def parquet(table, **options):
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def test_limits__variable__changes_what_it_names(limited):
    assert Limits.now() == Limits()
    limited(columns=7, unpacked_bytes=10**12)
    assert Limits.now() == Limits(columns=7, unpacked_bytes=10**12)


@pytest.mark.parametrize("setting", ["colums=3", "columns", "columns=0", "columns=-1", "rows=1e6"])
def test_limits__variable_that_is_no_list_of_limits__is_refused(monkeypatch, setting):
    monkeypatch.setenv(LIMITS_VARIABLE, setting)
    with pytest.raises(DataError, match=r"write limits as columns=500000, .* of downloaded_bytes"):
        Limits.now()


@pytest.mark.parametrize(
    ("shape", "named"), [((4, 1), "4 rows"), ((1, 3), "3 columns"), ((3, 2), "6 cells")]
)
def test_check_shape__above_a_limit__names_it_and_the_way_to_raise_it(limited, shape, named):
    limited(rows=3, columns=2, cells=5)
    check_shape(2, 2, "the file t")
    kind = named.split()[1]
    message = rf"the file t has {named}, and the limit is \d; .* {LIMITS_VARIABLE}={kind}=\d in"
    with pytest.raises(DataError, match=message):
        check_shape(*shape, "the file t")


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress, bz2.compress, lzma.compress, lambda content: zipped({"t.csv": content}),
        lambda content: tarred("t.csv", content),
    ],
    ids=["gzip", "bz2", "xz", "zip", "tar"],
)  # fmt: skip
def test_unpacked__more_bytes_than_the_limit__stops_there(limited, pack):
    content = b"0," * 2**20
    limited(unpacked_bytes=2**20)
    with pytest.raises(DataError, match=r"the file t has .* bytes( after unpacking)?, and the lim"):
        unpacked(io.BytesIO(pack(content)), "the file t")
    limited(unpacked_bytes=3 * 2**20)
    assert unpacked(io.BytesIO(pack(content)), "the file t").read() == content


def test_unpacked__zstd_bomb__stops(limited):
    bomb = pa.BufferOutputStream()
    with pa.CompressedOutputStream(bomb, "zstd") as out:
        out.write(bytes(8 * 2**20))
    content = bomb.getvalue().to_pybytes()
    assert len(content) < 2**12
    limited(unpacked_bytes=2**20)
    with pytest.raises(DataError, match="after unpacking"):
        unpacked(io.BytesIO(content), "the file t")


def test_unpacked__ratio_of_a_bomb__is_refused_however_high_the_bytes(limited, monkeypatch):
    monkeypatch.setattr(limits, "RATIO_COUNTS_FROM", 2**20)
    bomb = lzma.compress(bytes(2 * 2**20))  # thousands to one
    with pytest.raises(DataError, match="bytes after unpacking for each packed one"):
        unpacked(io.BytesIO(bomb), "the file t")
    plain = np.random.default_rng(0).bytes(2**20 + 1)
    assert unpacked(io.BytesIO(lzma.compress(plain)), "the file t").read() == plain


def test_read_bounded__stops_reading_at_the_limit(limited):
    class Endless(io.RawIOBase):
        n_read = 0

        def read(self, size=-1):
            self.n_read += size
            return bytes(size)

    limited(unpacked_bytes=5 * 2**20)
    stream = Endless()
    with pytest.raises(DataError, match="after unpacking"):
        read_bounded(stream, 10, "the file t")
    assert stream.n_read <= 6 * 2**20


def test_unpacked__archive_in_an_archive_in_an_archive__three_deep_and_no_further(read):
    content = b"a,target\n1,x\n2,y\n"
    for _ in range(4):
        content = gzip.compress(content)
    with pytest.raises(DataError):
        read("t.csv.gz", content)


@pytest.mark.parametrize("name", ["../../escaped.csv", "/tmp/escaped.csv", "..\\escaped.csv"])
@pytest.mark.parametrize("pack", [lambda n, c: zipped({n: c}), tarred], ids=["zip", "tar"])
def test_read__member_whose_path_leads_out__is_read_and_nothing_is_written(
    read, tmp_path, name, pack
):
    before = {*tmp_path.parent.rglob("*")}
    frame = read("t.zip", pack(name, b"a,target\n1,x\n2,y\n"))
    assert frame.shape == (2, 2)
    assert {*tmp_path.parent.rglob("*")} - before == {tmp_path / "t.zip"}


def test_read__tar_with_a_link_to_a_file_outside__is_not_followed(read, tmp_path):
    (tmp_path / "secret").write_text("a,target\n1,x\n")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("t.csv")
        member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(member)
    with pytest.raises(DataError, match="archive of 0 files"):
        read("t.tar", stream.getvalue())


def test_read__a_million_columns_in_one_line__are_refused(read):
    header = ",".join(f"c{i}" for i in range(1_000_000)).encode()
    with pytest.raises(DataError, match=r"has 1,000,000 columns, and the limit is 100,000; if you"):
        read("t.csv", header + b"\n" + b"1," * 999_999 + b"1\n")


def test_read__a_million_columns_without_a_header__are_refused(read):
    with pytest.raises(DataError, match="has 1,000,000 columns"):
        read("t.csv", b"1," * 999_999 + b"1\n", header="none")


def test_read__csv_of_more_rows_or_cells__is_refused_before_pandas_reads_it(
    read, limited, monkeypatch
):
    plain, quoted = b"a,target\n" + b"1,x\n" * 4, b'a,target\n1,"x"\n' + b"1,x\n" * 3
    limited(rows=4, cells=8)
    assert read("t.csv", plain).shape == read("t.csv", quoted).shape == (4, 2)
    monkeypatch.setattr(pd, "read_csv", None)
    for content in (plain, quoted):
        limited(rows=3)
        with pytest.raises(DataError, match="has 4 rows, and the limit is 3"):
            read("t.csv", content)
        limited(cells=7)
        with pytest.raises(DataError, match="has 8 cells, and the limit is 7"):
            read("t.csv", content)


def test_read__long_row_below_a_short_header__is_refused_by_its_columns(read, limited):
    limited(columns=5)
    with pytest.raises(DataError, match=r"line 2 of .* has 6 columns, and the limit is 5"):
        read("t.csv", b"1,2\n1,2,,,,\n", header="none")


@pytest.mark.parametrize("head", [b"a,target\n1,x\n", b""], ids=["row", "header"])
def test_read__csv_without_ends_of_lines__is_read_no_further_than_the_limit(read, limited, head):
    limited(line=1000)
    assert read("t.csv", b"a,target\n" + b"1" * 997 + b",x\n1,y\n").shape == (2, 2)
    with pytest.raises(DataError, match=r"has 1,001 characters or more in one line, and the lim"):
        read("t.csv", head + b"1" * 3000)


def test_kaggle__file_of_more_bytes_than_the_limit__is_refused(tmp_path, limited):
    context = FetchContext("t", tmp_path / "downloads", tmp_path)
    file = tmp_path / "downloads/kaggle/t.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"a,b,target\n" + b"1,2,x\n2,3,y\n" * 50)
    source = KaggleCsvSource(slug="me/t", filename="t.csv")
    assert source.load(context).shape == (100, 3)
    limited(unpacked_bytes=100)
    with pytest.raises(DataError, match="has 611 bytes, and the limit is 100"):
        source.load(context)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_read__arrow_file_of_many_columns__is_refused(read, limited, kind):
    limited(columns=30)
    frame = pd.DataFrame(np.zeros((2, 31)), columns=[f"c{i}" for i in range(31)])
    stream = io.BytesIO()
    getattr(frame, f"to_{kind}")(stream)
    with pytest.raises(DataError, match="has 31 columns, and the limit is 30"):
        read(f"t.{kind}", stream.getvalue())


def test_read__small_parquet_file_of_very_many_rows__is_refused(read, limited):
    limited(rows=10**5)
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**6, np.int8)), pa.array(["x"]))
    content = parquet(pa.table({"a": values, "target": values}))
    assert len(content) < 10_000
    with pytest.raises(DataError, match="has 1,000,000 rows, and the limit is 100,000"):
        read("t.parquet", content)
    limited(rows=10**6, cells=10**6)
    with pytest.raises(DataError, match="has 2,000,000 cells"):
        read("t.parquet", content)
    limited(unpacked_bytes=10**4)
    table = pa.table({"a": np.zeros(10**5)})
    with pytest.raises(DataError, match=r"800,.* bytes after unpacking"):
        read("t.parquet", parquet(table, use_dictionary=False, compression="zstd"))


@pytest.mark.parametrize("kind", [pa.null(), pa.int8(), pa.string()], ids=str)
def test_read__small_feather_file_of_very_many_rows__is_refused(read, limited, kind):
    limited(rows=10**5)
    stream = io.BytesIO()
    table = pa.table({"a": pa.nulls(10**6, pa.string()), "target": pa.nulls(10**6, kind)})
    pa.feather.write_feather(table, stream)
    with pytest.raises(DataError, match=r"has 1\d\d,\d\d\d rows, and the limit is 100,000"):
        read("t.feather", stream.getvalue())
    limited(cells=10**6)
    with pytest.raises(DataError, match=r"cells, and the limit is 1,000,000"):
        read("t.feather", stream.getvalue())


def test_read__excel_file_of_much_xml__is_refused(read, limited, tmp_path):
    frame = pd.DataFrame({"a": [1] * 3000, "target": ["x"] * 3000})
    frame.to_excel(tmp_path / "plain.xlsx", index=False)
    content = (tmp_path / "plain.xlsx").read_bytes()
    assert len(read("t.xlsx", content)) == 3000
    limited(unpacked_bytes=len(content) + 1)
    with pytest.raises(DataError, match="bytes after unpacking"):
        read("t.xlsx", content)


HEAD = "@relation r\n@attribute a numeric\n"


def test_read_arff__more_nominal_values_than_the_limit__are_refused_before_they_are_read(limited):
    values = ",".join(map(str, range(1_000_001)))
    with pytest.raises(DataError, match="has 1,000,001 nominal values or more, and the limit"):
        read_arff(f"@relation r\n@attribute k {{{values}}}\n@data\n1\n", "the file t")
    limited(levels=5)
    columns = "".join(f"@attribute k{i} {{a,b}}\n" for i in range(3))
    with pytest.raises(DataError, match="has 6 nominal values or more"):
        read_arff(f"{HEAD}{columns}@data\n1,a,a,a\n", "the file t")


def test_read_arff__many_columns_or_cells__are_refused(limited):
    limited(columns=2, cells=5)
    with pytest.raises(DataError, match="has 3 columns or more"):
        read_arff(HEAD + "@attribute b numeric\n@attribute c numeric\n@data\n", "the file t")
    with pytest.raises(DataError, match="has 6 cells"):
        read_arff(HEAD + "@attribute b numeric\n@data\n" + "1,2\n" * 3, "the file t")


@pytest.mark.parametrize("index", [2, 10**9, 10**30, -1])
def test_read_arff__sparse_row_of_a_column_that_is_not_there__is_refused(index):
    with pytest.raises(ValueError, match=r".+") as caught:
        read_arff(f"{HEAD}@attribute b numeric\n@data\n{{{index} 1}}\n", "the file t")
    assert len(str(caught.value)) < 300
