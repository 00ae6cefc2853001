"""Writes a source file in which every mutant can be switched on at run time.

What a mutant is, cargo-mutants says: a span of the file and what would stand there instead. Here each becomes a branch
beside the original, so that one build holds them all:

  a function's value    `{ if crate::mutant::on(7) { return VALUE; } ...body... }`
  an expression         `(if crate::mutant::on(7) { CHANGED } else { ORIGINAL })`
  a match arm deleted   `PATTERN if !crate::mutant::on(7) => ...`

Only insertions: the original text stays, so guards nest, and every line keeps its number.
"""

from typing import NamedTuple

import tree_sitter
import tree_sitter_rust

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))
# Where a value is needed while compiling, nothing can be asked at run time.
CONSTANT = {"const_item", "static_item", "enum_variant", "array_type", "const_block", "attribute_item", "type_arguments"}
# The smallest node of these kinds around what changes is what gets a branch.
CHANGED = {
    "BinaryOperator": {"binary_expression", "compound_assignment_expr"},
    "UnaryOperator": {"unary_expression"},
    "StructField": {"struct_expression"},
}


class LeftOut(Exception):
    """Why a mutant cannot be switched on at run time."""


class Insertion(NamedTuple):
    """Text to insert; what sorts first stands first at the same place."""

    at: int
    rank: tuple[int, int]
    text: str
    mutant: int | None


class Guarded(NamedTuple):
    text: bytes
    # Which bytes of the text came with which mutant: how an error of the compiler is laid at its door.
    ranges: list[tuple[int, int, int]]
    left_out: dict[int, str]


def guard(source: bytes, mutants: dict[int, dict]) -> Guarded:
    """The file with these mutants (by number) in it."""
    tree = PARSER.parse(source)
    starts = [0]
    for line in source.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    def offset(place: dict) -> int:
        line = source[starts[place["line"] - 1] : starts[place["line"]]].decode()
        return starts[place["line"] - 1] + len(line[: place["column"] - 1].encode())

    insertions, left_out, branches, also = [], {}, {}, []
    for number, mutant in mutants.items():
        start, end = offset(mutant["span"]["start"]), offset(mutant["span"]["end"])
        inside = tree.root_node.descendant_for_byte_range(start, end)
        try:
            if mutant["genre"] == "FnValue":
                insertions.append(_value(inside, mutant["replacement"], number))
            elif mutant["genre"] == "MatchArm":
                insertions.extend(_arm(inside, number))
                matched = _around(inside, {"match_expression"}).child_by_field_name("value")
                also.append((matched.start_byte, matched.end_byte, number))
            else:
                node = _changed(inside, mutant["genre"])
                if mutant["genre"] == "StructField" and source[end : end + 1] == b",":
                    end += 1
                text = source[node.start_byte : start] + mutant["replacement"].encode() + source[end : node.end_byte]
                branches.setdefault((node.start_byte, node.end_byte, _depth(node)), []).append((number, text.decode()))
        except LeftOut as reason:
            left_out[number] = str(reason)
    for (start, end, depth), each in branches.items():
        insertions.append(Insertion(start, (1, depth), "(", None))
        for number, text in each:
            insertions.append(Insertion(start, (1, depth), f"if crate::mutant::on({number}) {{ {text} }} else ", number))
        insertions.append(Insertion(start, (1, depth), "{ ", None))
        insertions.append(Insertion(end, (0, -depth), " })", None))
    return Guarded(*_insert(source, insertions, also), left_out)


def _insert(source: bytes, insertions: list[Insertion], also: list[tuple[int, int, int]]):
    text, ranges, taken, moved = bytearray(), [], 0, []
    for insertion in sorted(insertions, key=lambda it: (it.at, it.rank)):
        text += source[taken : insertion.at]
        taken = insertion.at
        moved.append((insertion.at, len(text) - insertion.at + len(insertion.text.encode())))
        if insertion.mutant is not None:
            ranges.append((len(text), len(text) + len(insertion.text.encode()), insertion.mutant))
        text += insertion.text.encode()
    text += source[taken:]

    def now(at: int) -> int:
        return at + next((by for place, by in reversed(moved) if place <= at), 0)

    ranges.extend((now(start), now(end), number) for start, end, number in also)
    return bytes(text), ranges


def _depth(node) -> int:
    depth = 0
    while node := node.parent:
        depth += 1
    return depth


def _around(node, kinds: set[str]):
    """The smallest node of such a kind that has this one in it, or is it; no constant may be on the way to it."""
    while node.type not in kinds:
        node = node.parent
        if node is None:
            raise LeftOut("no such syntax here")
    return node


def _only_at_run_time(node) -> None:
    while node := node.parent:
        if node.type in CONSTANT:
            raise LeftOut("a constant: its value is needed while compiling")
        if node.type == "closure_expression":
            return
        if node.type == "function_item":
            if any(child.type == "function_modifiers" and b"const" in child.text for child in node.children):
                raise LeftOut("a function that may run while compiling")
            return


def _value(inside, value: str, number: int) -> Insertion:
    body = _around(inside, {"function_item"}).child_by_field_name("body")
    _only_at_run_time(body)
    return Insertion(body.start_byte + 1, (1, _depth(body)), f" if crate::mutant::on({number}) {{ return {value}; }}", number)


def _arm(inside, number: int) -> list[Insertion]:
    arm = _around(inside, {"match_arm"})
    _only_at_run_time(arm)
    pattern, depth = arm.child_by_field_name("pattern"), _depth(arm)
    condition = pattern.child_by_field_name("condition")
    off = f"!crate::mutant::on({number})"
    if condition is None:
        return [Insertion(pattern.end_byte, (0, -depth), f" if {off}", number)]
    if condition.type in {"let_condition", "let_chain"}:
        return [Insertion(condition.start_byte, (1, depth), f"{off} && ", number)]
    return [
        Insertion(condition.start_byte, (1, depth), f"{off} && (", number),
        Insertion(condition.end_byte, (0, -depth), ")", None),
    ]


def _changed(inside, genre: str):
    """The expression that gets a branch with the change in it."""
    if genre == "MatchArmGuard":
        node = _around(inside, {"match_pattern"}).child_by_field_name("condition")
    else:
        node = _around(inside, CHANGED[genre] | {"let_chain"})
        # Operators bind anew after a change: `a && b || c`. So the whole chain is written again, not two operands.
        while node.parent.type == "binary_expression":
            node = node.parent
    if node.type in {"let_chain", "let_condition"}:
        raise LeftOut("part of a chain of `let`, which takes no other operator")
    _only_at_run_time(node)
    return node
