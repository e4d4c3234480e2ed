"""Which commit of the project runs."""

import subprocess
from pathlib import Path


def git_commit(folder: Path) -> str:
    """Commit of a checkout, with "-dirty" where tracked files were changed; else "unknown"."""
    try:
        described = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40",
             "--exclude=*"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
