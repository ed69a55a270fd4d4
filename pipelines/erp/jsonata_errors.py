"""What can be wrong with an expression, in words that name no value of the data it was given."""

from pipelines.errors import RejectedInput

OWN_WORDS = {"D3137", "D3141"}  # $error and $assert: the text is the expression's own

_MEANINGS = {
    "D1001": "A number is out of range.",
    "D1002": "Only a number can be negated.",
    "D1004": "A regular expression matches an empty text.",
    "D1009": "Two keys of an object are the same.",
    "D2014": "A range has more than ten million members.",
    "D3001": "A number that is not finite cannot become a text.",
    "D3010": "The pattern of $replace is empty.",
    "D3011": "The limit of $replace is negative.",
    "D3012": "The function given to $replace must return a text.",
    "D3020": "The limit of $split is negative.",
    "D3030": "$number was given something that is no number.",
    "D3040": "The limit of $match is negative.",
    "D3050": "The function given to $reduce needs two parameters.",
    "D3060": "The square root of a negative number does not exist.",
    "D3061": "The result of $power is no finite number.",
    "D3070": "$sort needs a function to compare these.",
    "D3100": "$formatBase takes a base from 2 to 36.",
    "D3110": "$toMillis was given no ISO 8601 timestamp.",
    "D3120": "$eval was given an expression that cannot be read.",
    "D3121": "$eval was given an expression that failed.",
    "D3138": "$single found more than one match.",
    "D3139": "$single found no match.",
    "T0410": "A function was given an argument that does not fit.",
    "T0411": "A function was given a context that does not fit.",
    "T0412": "A function was given an array with members that do not fit.",
    "T1003": "A key of an object must be a text.",
    "T1005": "A function is called without its $.",
    "T1006": "Something is called that is not a function.",
    "T1007": "Something is partially applied that is not a function.",
    "T2001": "The left side of an operator must be a number.",
    "T2002": "The right side of an operator must be a number.",
    "T2003": "The left side of a range must be a whole number.",
    "T2004": "The right side of a range must be a whole number.",
    "T2006": "The right side of ~> must be a function.",
    "T2007": "The keys to sort by are not of one type.",
    "T2008": "The keys to sort by must be numbers or texts.",
    "T2009": "The two sides of a comparison are not of one type.",
    "T2010": "Only numbers and texts can be compared.",
    "T2011": "The update of a transform must be an object.",
    "T2012": "The deletions of a transform must be texts.",
    "U1001": "The expression calls itself too deeply or too often.",
}
UNFORESEEN = "U1000"


class ExpressionError(RejectedInput):
    """An expression cannot be read, or fails on the data it was given.

    Attributes
    ----------
    code
        JSONata's code, such as T2001; U1000 where the engine has none, U1001 time or depth, U1002 arrays and U1003
        texts beyond the budget, U1004 an expression that is too long.
    message
        One sentence; it holds no data, except what ``$error`` and ``$assert`` were told to say.
    position
        Where in the text, counted from 0; None where the engine does not know.
    """

    def __init__(self, code: str, message: str, position: int | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.position = position


def meaning_of(code: str | None, said: str) -> tuple[str, str]:
    """Return the code and the sentence for an error of the engine while it evaluates."""
    if code is None:
        return UNFORESEEN, "The expression fails on this data."
    if code in OWN_WORDS:
        return code, said
    return code, _MEANINGS.get(code, "The expression fails on this data.")
