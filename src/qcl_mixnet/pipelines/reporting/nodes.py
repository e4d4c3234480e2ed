"""Nodes of the reporting pipeline."""

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.gathering import score_table
from qcl_mixnet.reporting.figures import plot_leaderboard
from qcl_mixnet.reporting.tables import HEADLINE, to_markdown


def report(leaderboard: pd.DataFrame, metrics: pd.DataFrame) -> tuple[str, pd.DataFrame, Figure]:
    """Write the leaderboard as Markdown and as a figure, and the headline scores as a table.

    In the table a model whose epoch was chosen on the test part has a star behind its name.
    """
    selected = leaderboard.loc[leaderboard["test_selected"], "model"]
    scores = score_table(metrics, HEADLINE).rename(columns={m: f"{m}*" for m in selected})
    return to_markdown(leaderboard), scores.reset_index(), plot_leaderboard(leaderboard)
