"""Names of folders that some library reads as a pattern, a key, an address or an end of line."""

ODD_NAMES = (
    *("my data", "déjà", "日本", "e\u0301", "a&b", "a[1]", "a[1", "[ab]", "a*", "**", "a$b"),
    *("%20", "100%", "a#b", "k=v", "category=text", "run=1", "a'b", 'a"b', "a{1,2}", "{uuid}"),
    *("a\\b", "~", "a;b", "a:b", "a,b", "a|b", "<b>", "`a`", "-x", " ", "a.", "x" * 190, "$HOME"),
)
# Refused before work begins: no part of a run can be trusted with them.
REFUSED_NAMES = (
    *("what?", "new\nline", "tab\t", "\x1b[31m", "\x85", "\u2028", "caf\udce9"),
    *("é" * 110, "a/" * 2000),
)
