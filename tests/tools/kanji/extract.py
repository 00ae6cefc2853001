"""Writes the reviewed tables of kanji reduction, nta.tsv and mj.tsv, from published packages. Run by extract.sh.

A line is `U+XXXX <tab> character <tab> what it is reduced to <tab> ground`. Sources are characters outside JIS X 0208,
targets characters inside. A character has a line only where its source names exactly one target.
"""

import collections
import sqlite3
import sys
import unicodedata
from pathlib import Path

import jntajis

# A follower makes the library give out what it would hold back for a combination.
FOLLOWER = "亜"
ABSENT = "\ufffe"

# Left out after review: a mark that stands on the letter before it is no sign of its own, and an underscore says nothing
# of a trademark.
NOT_TAKEN = {"\u0303", "\u0330", "\u0334", "\u00ae"}

# Grounds in MJ縮退マップ, strongest first. 別字 is left out: another character, not another form.
REGISTERS = [
    ("通達", "民二5202号通知別表_正字俗字等対照表"),
    ("通達", "民一2842号通達別表_誤字俗字正字一覧表_無印"),
    ("通達", "民一2842号通達別表_誤字俗字正字一覧表_俗字"),
    ("親字正字", "戸籍統一文字情報_親字正字"),
]


def jisx0208(character):
    """Whether the character has two bytes in strict Shift_JIS."""
    try:
        return len(character.encode("shift_jis")) == 2 and ord(character) > 0x7F
    except UnicodeEncodeError:
        return False


def kanji(character):
    """Whether it is a kanji of level 1 or 2."""
    return jisx0208(character) and character.encode("shift_jis")[0] >= 0x88


def national_tax_agency():
    """国税庁「JIS縮退マップ」."""
    found = {}
    for point in range(0xA0, 0x30000):
        if 0xD800 <= point < 0xE000:
            continue
        character = chr(point)
        shrunk = jntajis.jnta_shrink_translit(character + FOLLOWER, replacement=ABSENT, passthrough=False)
        target = shrunk.removesuffix(FOLLOWER)
        if target in (character, ABSENT) or character in NOT_TAKEN:
            continue
        if jisx0208(character) or not target or not all(map(jisx0208, target)):
            raise SystemExit(f"NTA: {character!r} to {target!r}")
        found[character] = (target, "国税庁")
    return found


def sole_targets(rows, nta):
    """Characters whose nearest targets are one. `rows`: (character, candidate, distance)."""
    near = collections.defaultdict(lambda: collections.defaultdict(set))
    for character, candidate, distance in rows:
        target = candidate if kanji(candidate) else nta.get(candidate, ("", ""))[0]
        if len(target) == 1 and kanji(target):
            near[character][distance].add(target)
    nearest = {character: at[min(at)] for character, at in near.items()}
    return {character: next(iter(targets)) for character, targets in nearest.items() if len(targets) == 1}


def x0213(place):
    """The character at men-ku-ten of JIS X 0213."""
    men, ku, ten = map(int, place.split("-"))
    prefix = b"\x8f" if men == 2 else b""
    return (prefix + bytes([ku + 0xA0, ten + 0xA0])).decode("euc_jis_2004")


def moji_joho(database, nta):
    """MJ文字一覧表 and MJ縮退マップ: of each code point the glyph that it stands for without a variation selector."""
    glyphs = dict(database.execute('SELECT "MJ文字図形名", "実装したUCS" FROM mji WHERE "実装したUCS" IS NOT NULL'))
    glyphs = {
        glyph: character
        for glyph, character in glyphs.items()
        # What Unicode itself takes for the same character needs no other ground.
        if not jisx0208(character) and character not in nta and unicodedata.normalize("NFC", character) == character
    }

    listed = database.execute('SELECT "MJ文字図形名", "X0213" FROM mji WHERE "X0213" IS NOT NULL').fetchall()
    unified = [(glyphs[glyph], x0213(place), 0) for glyph, place in listed if glyph in glyphs]
    rules = database.execute('SELECT "MJ文字図形名", "縮退UCS" FROM "mjsm_JIS包摂規準UCS統合規則"').fetchall()
    unified += [(glyphs[glyph], candidate, 0) for glyph, candidate in rules if glyph in glyphs]
    grounds = [("包摂", unified)]
    for ground, table in REGISTERS:
        hops = '"ホップ数"' if table.startswith("戸籍") else "0"
        shrunk = database.execute(f'SELECT "MJ文字図形名", "縮退UCS", {hops} FROM "mjsm_{table}"').fetchall()
        grounds.append((ground, [(glyphs[glyph], candidate, hop) for glyph, candidate, hop in shrunk if glyph in glyphs]))

    found = {}
    for ground, rows in grounds:
        for character, target in sole_targets(rows, nta).items():
            found.setdefault(character, (target, ground))
    return found


def write(path, head, table):
    """One line a character, in order of code points."""
    lines = [
        f"U+{ord(character):04X}\t{character}\t{target}\t{ground}\n"
        for character, (target, ground) in sorted(table.items())
    ]
    path.write_text("".join(f"# {line}\n" for line in head) + "".join(lines), encoding="utf-8")
    print(f"{path.name}: {len(lines)} characters")


def main():
    folder, database = Path(sys.argv[1]), sqlite3.connect(sys.argv[2])
    nta = national_tax_agency()
    write(
        folder / "nta.tsv",
        [
            "国税庁法人番号公表サイト（国税庁）「JIS縮退マップ」（https://www.houjin-bangou.nta.go.jp/download/）を加工して作成",
            "公共データ利用規約（第1.0版）: LICENSE-nta.txt",
        ],
        nta,
    )
    write(
        folder / "mj.tsv",
        [
            "「MJ文字一覧表」「MJ縮退マップ」（独立行政法人情報処理推進機構の著作物）を加工して作成",
            "CC BY-SA 2.1 JP: LICENSE-mj.txt",
        ],
        moji_joho(database, nta),
    )


main()
