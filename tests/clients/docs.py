"""The tables in docs/sdks.md."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/sdks.md"
HEADS = {
    "clients": "| client | version | web identity | container credentials |",
    "denials": "| why AWS denied the role can be read in, with | web identity | container credentials |",
    "outage": "| AWS away for 1.5 s | newest | oldest that asks 169.254.170.23 |",
}


def keep(table, rows, write, whole):
    """Prints a table and compares it with the page, or writes it there. Returns whether they are the same now."""
    head = HEADS[table]
    lines = [head, "|" + "---|" * (head.count("|") - 1), *("| " + " | ".join(row) + " |" for row in rows)]
    text = "\n".join(lines) + "\n"
    print(f"\n{text}")
    if not whole:
        return True
    page = PAGE.read_text()
    begin = page.find(head)
    if begin < 0:
        print(f"docs/sdks.md has no table that begins with {head}")
        return False
    end = page.find("\n\n", begin)
    end = len(page) if end < 0 else end + 1
    if page[begin:end] == text:
        return True
    if not write:
        print("docs/sdks.md has another table: --write writes this one")
        return False
    PAGE.write_text(page[:begin] + text + page[end:])
    return True
