"""Words of a transcript made comparable, and how many of them differ.

Simpler than the normaliser of `quintet eval`, and there to compare transcripts of the same audio:
lower case; punctuation and hyphens are spaces; titles are written out; whole numbers below 10,000
are words; British spelling in -our and -ise counts as American.
"""

import re
import unicodedata

TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint"}
SPELLINGS = [(re.compile(pattern), form) for pattern, form in (
    (r"(hon|neighb|fav|behavi|hum|col|lab|endeav|val|vig|sav|harb|splend|cand|ferv|rig|arm)our",
     r"\1or"),
    (r"(\w{3})is(e|ed|es|ing|ation)$", r"\1iz\2"),
    (r"^grey", "gray"),
)]
SMALL = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
         "fifteen sixteen seventeen eighteen nineteen").split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def spell(number):
    """The words of 0 <= number < 10000."""
    for unit, name in ((1000, "thousand"), (100, "hundred")):
        if number >= unit:
            rest = number % unit
            return spell(number // unit) + [name] + (spell(rest) if rest else [])
    if number < 20:
        return [SMALL[number]]
    return [TENS[number // 10]] + ([SMALL[number % 10]] if number % 10 else [])


def comparable(word):
    if re.fullmatch(r"[0-9]{1,4}", word):
        return spell(int(word))
    for pattern, form in SPELLINGS:
        word = pattern.sub(form, word)
    return [TITLES.get(word, word)]


def words(text):
    folded = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    folded = re.sub(r"(?<=\d),(?=\d{3})", "", folded)
    spaced = re.sub(r"[^\w\s']|_|(?<!\w)'|'(?!\w)", " ", folded)
    return [out for word in spaced.split() for out in comparable(word)]


def word_errors(reference, answer):
    """The fewest substitutions, insertions and deletions from one list of words to the other."""
    row = list(range(len(answer) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(answer, 1):
            cost = diagonal + (word != expected)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, cost)
    return row[-1]
