"""Memory that may still be taken, by files as Linux writes them."""

import resource

import pytest

from qcl_mixnet.engine.memory import available_memory

MEMINFO = "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   8000000 kB\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    write(tmp_path / "proc/meminfo", MEMINFO)
    return tmp_path


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def write_group(folder, limit, used, inactive):
    write(folder / "memory.max", f"{limit}\n")
    write(folder / "memory.current", f"{used}\n")
    write(folder / "memory.stat", f"anon 5\ninactive_file {inactive}\n")


def test_available_memory__no_limit__what_the_machine_has(root):
    assert available_memory(root) == 8_000_000 * 1024


def test_available_memory__nothing_known__none(root):
    (root / "proc/meminfo").unlink()
    assert available_memory(root) is None


def test_available_memory__container__limit_less_what_is_taken_and_cannot_be_given_back(root):
    write_group(root / "sys/fs/cgroup", 1000, 700, 200)
    assert available_memory(root) == 500


def test_available_memory__no_limit_in_the_container__the_machine_s(root):
    write_group(root / "sys/fs/cgroup", "max", 700, 200)
    assert available_memory(root) == 8_000_000 * 1024


def test_available_memory__groups_in_groups__the_tightest(root):
    write(root / "proc/self/cgroup", "0::/user/session\n")
    write_group(root / "sys/fs/cgroup/user", 900, 500, 0)
    write_group(root / "sys/fs/cgroup/user/session", 5000, 400, 0)
    assert available_memory(root) == 400


def test_available_memory__version_1__as_well(root):
    write(root / "proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/a\n")
    group = root / "sys/fs/cgroup/memory/docker/a"
    write(group / "memory.limit_in_bytes", "1000")
    write(group / "memory.usage_in_bytes", "900")
    write(group / "memory.stat", "total_inactive_file 50")
    assert available_memory(root) == 150


def test_available_memory__more_taken_than_allowed__zero(root):
    write_group(root / "sys/fs/cgroup", 100, 700, 0)
    assert available_memory(root) == 0


def test_available_memory__limited_address_space__what_is_left_of_it(root, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (5_000_000, 9_000_000))
    write(root / "proc/self/status", "Name: python\nVmSize:     3000 kB\n")
    assert available_memory(root) == 5_000_000 - 3000 * 1024
