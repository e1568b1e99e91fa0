"""What a refusal must be: one sentence with a remedy."""

from __future__ import annotations

import re


def one_sentence(text: str) -> None:
    assert text and "\n" not in text.strip(), text
    assert text.endswith("."), text
    # A full stop ends the sentence only before a capital: file names have dots too.
    assert not re.search(r"[.!?] +[A-Z]", text), text
    assert "Traceback" not in text and "Error" not in text, text
    assert re.search(r"[;,] \w+|\(concord:", text), f"no remedy: {text}"
