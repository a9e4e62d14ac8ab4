"""Widths of text in Helvetica, which every backend draws with or comes close to."""

from __future__ import annotations

# Advance widths in thousandths of the font size, for the characters of each group.
_GROUPS = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1015: "@",
}
_WIDTHS = {char: width for width, chars in _GROUPS.items() for char in chars}


def text_width(text: str, size: float) -> float:
    """Width of one line; characters without an entry count as wide ones."""
    return sum(_WIDTHS.get(char, 700) for char in text) * size / 1000


def shorten(text: str, size: float, limit: float) -> str:
    """Cut the middle out of a text until it fits the limit."""
    if text_width(text, size) <= limit:
        return text
    head, tail = (len(text) + 1) // 2, len(text) // 2
    while head > 1 and text_width(text[:head] + "..." + text[len(text) - tail :], size) > limit:
        if head > tail:
            head -= 1
        else:
            tail -= 1
    return text[:head] + "..." + text[len(text) - tail :]
