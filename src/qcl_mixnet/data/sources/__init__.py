"""Sources: where tables come from. Each is a declaration that can load itself."""

from typing import Annotated

from pydantic import Field

from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.bundled import BundledSource
from qcl_mixnet.data.sources.files import FileSource
from qcl_mixnet.data.sources.kaggle import KaggleCsvSource
from qcl_mixnet.data.sources.openml import OpenMLSource
from qcl_mixnet.data.sources.uci_har import UciHarSource
from qcl_mixnet.data.sources.zenodo import ZenodoSource

SourceSpec = Annotated[
    BundledSource | FileSource | KaggleCsvSource | OpenMLSource | UciHarSource | ZenodoSource,
    Field(discriminator="type"),
]
"""Any source, told apart by its field `type`."""

__all__ = [
    "TARGET",
    "BundledSource",
    "FetchContext",
    "FileSource",
    "KaggleCsvSource",
    "OpenMLSource",
    "Source",
    "SourceSpec",
    "UciHarSource",
    "ZenodoSource",
]
