import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.reporting import paper_figures as module
from qcl_mixnet.reporting.paper_figures import FIGURES, FigureData, paper_figures


def test_paper_figures__every_name__is_drawn_from_the_same_data(monkeypatch):
    seen = []
    drawn = {name: lambda data: seen.append(data) or Figure() for name in FIGURES}
    monkeypatch.setattr(module, "FIGURES", drawn)
    data = FigureData(*[pd.DataFrame()] * 4, statistics={})
    assert list(paper_figures(data)) == list(FIGURES)
    assert len(seen) == len(FIGURES)
    assert all(one is data for one in seen)
