"""Replays labelled cases and whole days: accuracy per kind and field, wrong replies apart from needless reviews."""

from cs_bot.evaluate.cases import Case, CaseSet, Expected, load_cases, save_case
from cs_bot.evaluate.report import write_report, write_simulation
from cs_bot.evaluate.running import Ran, run_cases
from cs_bot.evaluate.scoring import Figures, Verdict, compare, figures, judge
from cs_bot.evaluate.simulate import Change, simulate, summary

__all__ = [
    "Case",
    "CaseSet",
    "Change",
    "Expected",
    "Figures",
    "Ran",
    "Verdict",
    "compare",
    "figures",
    "judge",
    "load_cases",
    "run_cases",
    "save_case",
    "simulate",
    "summary",
    "write_report",
    "write_simulation",
]
