"""Words for people, in both languages at once: whoever makes a claim writes it in both."""

from __future__ import annotations

from typing import Literal

import msgspec

Language = Literal["en", "zh"]


class Text(msgspec.Struct, frozen=True):
    """One sentence or phrase in English and Chinese."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        """The text in `language`."""
        return self.zh if language == "zh" else self.en
