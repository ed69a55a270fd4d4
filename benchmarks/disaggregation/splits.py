"""Which homes and months may be used to fit, and which are only reported; fixed here, for good.

Whoever fits a number of the model looks at "tune" alone. The scorecard's figures are those of "report".
"""

from datetime import date

TUNE = "tune"
REPORT = "report"

SAID = {
    "ampds2": "first year (2012-04 to 2013-03) tune, second year report",
    "ampds2-tap": "as ampds2",
    "pecan661": "odd months tune, even months report",
    "pecan661-grid": "as pecan661",
    "redd": "houses 1 and 2 tune, house 3 report",
    "uci": "2006-12 to 2007-12 tune, 2008 to 2010-11 report",
    "uci-minutes": "all tune: 2006-12-16 to 2007-01-11",
    "london": "homes of odd number tune, of even number report",
    "injected": "homes of odd number tune, of even number report",
    "simulated": "all tune: synthetic homes rank designs and prove nothing",
}


def part_of(dataset: str, home: str, month: date) -> str:
    """Return whether a home's calendar month may be fitted on."""
    if dataset in {"ampds2", "ampds2-tap"}:
        return TUNE if month < date(2013, 4, 1) else REPORT
    if dataset in {"pecan661", "pecan661-grid"}:
        return TUNE if month.month % 2 else REPORT
    if dataset == "redd":
        return REPORT if home == "house 3" else TUNE
    if dataset == "uci":
        return TUNE if month < date(2008, 1, 1) else REPORT
    if dataset in {"london", "injected"}:
        return TUNE if int(home[-1]) % 2 else REPORT
    return TUNE
