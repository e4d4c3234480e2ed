import pytest

ROWS = "".join(f"{i * 0.5},{'pq'[i % 2]},{'uv'[i % 3 > 0]}\n" for i in range(12))


@pytest.fixture
def write(tmp_path):
    """Write a text, or bytes, into a file and give its path."""

    def into(content, name="own.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return into


@pytest.fixture
def rows():
    """Twelve rows of a number, a letter and a label, without names."""
    return ROWS


@pytest.fixture
def plain(rows):
    """The same below the names a, b and y."""
    return "a,b,y\n" + rows
