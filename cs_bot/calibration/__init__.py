"""Judgements -> thresholds that keep the promised error rate, step by step, and back when it breaks."""

from cs_bot.calibration.bounds import CONFIDENCE, PATIENCE, clopper_pearson_upper, fewest, minimum_n, wilson
from cs_bot.calibration.report import Line, Report, line, lines, report
from cs_bot.calibration.rollout import SHARES, apply, change, judged_keys, key_of, look, name_of, set_mode
from cs_bot.calibration.steps import ROLLED_BACK, STARTS, start, step_up, sweep
from cs_bot.calibration.thresholds import Calibrated, Tested, calibrate

__all__ = [
    "CONFIDENCE",
    "PATIENCE",
    "ROLLED_BACK",
    "SHARES",
    "STARTS",
    "Calibrated",
    "Line",
    "Report",
    "Tested",
    "apply",
    "calibrate",
    "change",
    "clopper_pearson_upper",
    "fewest",
    "judged_keys",
    "key_of",
    "line",
    "lines",
    "look",
    "minimum_n",
    "name_of",
    "report",
    "set_mode",
    "start",
    "step_up",
    "sweep",
    "wilson",
]
