"""Made-up texts: words of several scripts, tags, mentions and links with facets that point at the right bytes."""

from random import Random
from typing import Any

LANGUAGES = {
    "en": "the a this that my your morning coffee rain train light garden letter bread river night song late again "
    "nothing always almost quiet bright old new small window street found lost waiting reading walking",
    "ja": "今日 は 雨 の 音 が いい 猫 と 朝 コーヒー 電車 で 本 を 読む 夜 また 明日 静かな 庭 窓",
    "pt": "hoje choveu de novo bom dia café na janela o livro que ninguém leu ainda obrigada até amanhã devagar",
    "de": "heute wieder Regen und Kaffee am Fenster der Zug kommt später schöne Grüße vielleicht morgen größer",
    "ko": "오늘 비가 와요 커피 한 잔 창문 고양이 아침 다시 천천히 좋은 밤 책을 읽는 중",
    "es": "hoy llueve otra vez café en la ventana el tren llega tarde buenas noches mañana será otro día",
    "ar": "صباح الخير قهوة مطر نافذة كتاب ليل هادئ غدا قطار بطيء شكرا",
}
_LISTS = {language: words.split() for language, words in LANGUAGES.items()}
_CODES = list(_LISTS)
_SHARES = [50, 72, 82, 88, 93, 98, 100]  # percent, summed up; roughly who writes most
_EMOJI = ("🌧️", "☕", "🐈", "✨", "👍🏽", "👨‍👩‍👧‍👦", "🫠")
_LONGEST = 280
"""Letters; a post may have 300 graphemes."""


def language(random: Random) -> str:
    """A language tag, the common ones more often."""
    return random.choices(_CODES, cum_weights=_SHARES)[0]


def sentence(random: Random, code: str, most: int) -> str:
    """One to `most` words of a language, sometimes with an emoji at the end."""
    words = random.choices(_LISTS[code], k=1 + int(most * random.random() ** 2))
    if random.random() < 0.2:
        words.append(random.choice(_EMOJI))
    return " ".join(words)[:_LONGEST]


def with_facets(random: Random, text: str, mentioned: str) -> tuple[str, list[dict[str, Any]]]:
    """The text behind a mention, a link or a tag, and its facets (byte offsets of UTF-8)."""
    feature: dict[str, Any]
    match random.randrange(3):
        case 0:
            head = f"@{mentioned[-8:]}.madeup.test"
            feature = {"did": mentioned, "$type": "app.bsky.richtext.facet#mention"}
        case 1:
            head = f"madeup.test/{random.randrange(10_000)}"
            feature = {"uri": f"https://{head}", "$type": "app.bsky.richtext.facet#link"}
        case _:
            tag = random.choice(("雨", "coffee", "größer", "slowly", "trains"))
            head = f"#{tag}"
            feature = {"tag": tag, "$type": "app.bsky.richtext.facet#tag"}
    end = len(head.encode())
    facet = {"index": {"byteEnd": end, "byteStart": 0}, "features": [feature]}
    return f"{head} {text}"[:_LONGEST], [facet]
