"""Databases that runs are tracked in: whether one can be written to, and who sets it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from qcl_mixnet.project.tracking_addresses import INVALID_ADDRESS, reason

CONNECT_SECONDS = 5
LOCK_SECONDS = 10  # that another program may take to write before a file counts as locked
SET_UP_SECONDS = 120  # that another run may take to set a database up


def database_problem(uri: str) -> str | None:
    """Why a database cannot be written to, or None when it can or the address is no database's.

    MLflow itself would try ten times for minutes, and write a traceback for each.
    """
    from mlflow.store.db.db_types import DATABASE_ENGINES, MYSQL, POSTGRES, SQLITE
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    engine = uri.partition(":")[0].partition("+")[0].lower()
    if engine not in DATABASE_ENGINES:
        return None
    seconds = {
        SQLITE: {"timeout": LOCK_SECONDS},
        POSTGRES: {"connect_timeout": CONNECT_SECONDS},
        MYSQL: {"connect_timeout": CONNECT_SECONDS},
    }
    try:
        if engine == SQLITE and (path := sqlite_file(uri)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        database = create_engine(
            uri,
            connect_args=seconds.get(engine, {}),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        with database.connect() as connection:
            if engine == SQLITE:
                # Only writing tells: a file in a folder without permission opens like any other.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql("CREATE TABLE qcl_mixnet_probe (x INTEGER)")
                connection.exec_driver_sql("ROLLBACK")
    except (SQLAlchemyError, ImportError, OSError) as error:
        return reason(getattr(error, "orig", None) or error, uri)
    except ValueError:  # its message may quote a password
        return INVALID_ADDRESS
    return None


@contextmanager
def setting_up(uri: str) -> Iterator[None]:
    """Let one run at a time make the tables of a SQLite file; other places take care themselves.

    Raises
    ------
    OSError
        When the lock cannot be had.
    """
    path = sqlite_file(uri)
    if path is None:
        yield
        return
    with FileLock(path.with_name(f"{path.name}.lock"), timeout=SET_UP_SECONDS):
        yield


def sqlite_file(uri: str) -> Path | None:
    """File of a SQLite address; None where there is none, as of a database in memory."""
    prefix, _, rest = uri.partition(":///")
    name = rest.partition("?")[0]
    if prefix.partition("+")[0].lower() != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name.removeprefix("file:"))
