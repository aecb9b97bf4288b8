"""Where the text of every statement comes from, followed through the source of the package.

Names are followed without types: a function or attribute of a name stands for all of that name. So it finds too much
rather than too little.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

EXECUTES = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "prepare")
"""Methods of the driver whose first argument is SQL."""
OURS = {"statements", "_statements", "table.name", "table.columns", "table.owner", "table.sequence", "kind.tables",
        "kind.key_columns", "counter.by", "counter.unless", "counter.aggregate", "counter.column", "check.table",
        "self.number", "self.name", "self.checksum", "self.sql",
        "step.sql", "step.entry", "*place", "check.column", "real", "self.ours", "self.theirs"}  # fmt: skip
"""Names that hold our own text: statements, what record types and tables are described by, migrations, OWNED."""
SAFE = {"quoted", "read_text", "Statements"}
"""What is our own text, whatever it is made with: an identifier, a file of the package, all statements by name."""
KEEPS = {"join", "replace", "strip", "split", "partition", "splitlines", "items", "values", "fromkeys", "str", "tuple",
         "list", "sorted", "enumerate", "iterdir", "removeprefix", "removesuffix", "hexdigest", "union"}  # fmt: skip
"""Functions whose result is made of what they are called on, or with."""
CALLS = ("patiently", "partial")
"""Functions that call their first argument with the others."""

Function = ast.FunctionDef | ast.AsyncFunctionDef | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands."""

    file: str
    function: Function
    around: "Place | None" = None

    def parameter(self, node: ast.expr) -> "tuple[str, int, str] | None":
        """Function, place in its calls and name of the parameter that this is, here or in a function around."""
        if (found := parameter_of(self.function, node)) is not None and self.function is not None:
            return (self.function.name, *found)
        return None if self.around is None else self.around.parameter(node)


class Package:
    """The source of a package, by file."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.functions: dict[str, list[Place]] = {}
        self.calls: list[tuple[Place, ast.Call]] = []
        self._constants: dict[str, list[tuple[Place, ast.expr]]] = {}
        self._attributes: dict[str, list[tuple[Place, ast.expr]]] = {}
        self._bound: dict[tuple[str, int, str], list[ast.expr]] = {}
        self._trees = [ast.parse(text) for text in sources.values()]
        for file, tree in zip(sources, self._trees, strict=True):
            self._walk(tree, Place(file, None))

    @classmethod
    def installed(cls, only: str = "") -> "Package":
        """The indexer without what has connections of its own kind, or that part alone (`only`) with our statements.

        `shadow` has methods that are called like the driver's, and the stand-in of the demo is no part of the daemon:
        names are followed without types.
        """
        root = Path(str(files("indexer")))
        found = {str(path.relative_to(root)): path.read_text("utf-8") for path in sorted(root.rglob("*.py"))}
        if only:
            return cls({n: text for n, text in found.items() if n.startswith((only, "sink/statements.py"))})
        return cls({n: text for n, text in found.items() if not n.startswith(("commands/shadow/", "demo/migration/"))})

    @staticmethod
    def scripts() -> list[str]:
        """The files of the package with SQL, without comments."""
        root = Path(str(files("indexer")))
        return [re.sub(r"--.*", "", path.read_text("utf-8")) for path in sorted(root.rglob("*.sql"))]

    def texts(self) -> list[str]:
        """Every constant of the source that may be SQL, or a part of it; `?` is what is filled in."""
        found = []
        for tree in self._trees:
            said = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
            said |= {id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in each.values}
            for node in ast.walk(tree):
                match node:
                    case ast.Constant(value=str(text)) if id(node) not in said:
                        found.append(text)
                    case ast.JoinedStr(values=parts):
                        found.append(
                            "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in parts)
                        )
        return found

    def executed(self) -> Iterator[tuple[Place, ast.expr]]:
        """Every expression that is handed to PostgreSQL as SQL.

        Where that is a parameter, the function hands on what it is given: its callers are looked at instead.
        """
        todo: list[tuple[str, int, str]] = [(name, 0, "query") for name in EXECUTES]
        known = set(todo)
        for name, position, keyword in todo:
            for place, call in self.calls:
                if called(call) != name or (text := argument(call, position, keyword)) is None:
                    continue
                parameter = place.parameter(text)
                if parameter is None:
                    yield place, text
                elif parameter not in known:
                    known.add(parameter)
                    todo.append(parameter)

    def foreign(self, place: Place, node: ast.expr) -> str | None:
        """What in an expression is not our own text; None where all is."""
        return self._foreign(place, node, set())

    def _foreign(self, place: Place, node: ast.AST, seen: set[int]) -> str | None:
        if id(node) in seen or isinstance(node, ast.Constant):
            return None
        seen.add(id(node))
        if (text := ast.unparse(node)) in OURS:
            return None
        parts: list[tuple[Place, ast.expr]] | None = None
        match node:
            case (
                ast.JoinedStr(values=several)
                | ast.BoolOp(values=several)
                | ast.Tuple(elts=several)
                | ast.List(elts=several)
            ):
                parts = [(place, each) for each in several]
            case (
                ast.FormattedValue(value=one) | ast.Starred(value=one) | ast.Await(value=one) | ast.Subscript(value=one)
            ):
                parts = [(place, one)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                parts = [(place, left), (place, right)]
            case ast.IfExp(body=left, orelse=right):
                parts = [(place, left), (place, right)]
            case ast.Dict(values=several):
                parts = [(place, each) for each in several]
            case ast.GeneratorExp(elt=one) | ast.ListComp(elt=one) | ast.DictComp(value=one):
                parts = [(place, one)]
            case ast.Attribute(attr=name):
                if name in OURS:
                    return None
                parts = self._attributes.get(name)
            case ast.Name(id=name):
                parts = self._named(place, name)
            case ast.Call():
                parts = self._result(place, node)
        if parts is None:
            return f"{place.file}:{getattr(node, 'lineno', 0)}: {text}"
        return next((found for at, part in parts if (found := self._foreign(at, part, seen)) is not None), None)

    def _named(self, place: Place, name: str) -> list[tuple[Place, ast.expr]] | None:
        """All that a name may stand for; None where nobody knows."""
        if (found := self._bound.get((place.file, id(place.function), name))) is not None:
            return [(place, each) for each in found]
        if parameter_of(place.function, ast.Name(name)) is None:
            return self._constants.get(name) if place.around is None else self._named(place.around, name)
        function, position, keyword = place.parameter(ast.Name(name)) or ("", 0, "")
        given = [
            (caller, text)
            for caller, call in self.calls
            if called(call) == function and (text := argument(call, position, keyword)) is not None
        ]
        return given or None

    def _result(self, place: Place, call: ast.Call) -> list[tuple[Place, ast.expr]] | None:
        name = called(call)
        if name in SAFE:
            return []
        if name == "get":
            return [(place, each) for each in inner(call)]
        if name in KEEPS:
            return [(place, each) for each in (*inner(call), *call.args)]
        if found := self._meant(place, call):
            return [
                (inside, each.value)
                for inside in found
                for each in ast.walk(inside.function or ast.Pass())
                if isinstance(each, ast.Return) and each.value is not None
            ]
        return None

    def _meant(self, place: Place, call: ast.Call) -> list[Place]:
        found = self.functions.get(called(call), [])
        receiver = [ast.unparse(each).rpartition(".")[2] for each in inner(call)]
        if receiver == ["self"]:
            found = [each for each in found if each.file == place.file] or found
        elif OURS.intersection(receiver):
            found = [each for each in found if each.file.endswith("/statements.py")]
        return found

    def _walk(self, node: ast.AST, place: Place) -> None:
        for child in ast.iter_child_nodes(node):
            within = place
            match child:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    within = Place(place.file, child, place)
                    self.functions.setdefault(child.name, []).append(within)
                case ast.Call():
                    self.calls.append((place, child))
                    if called(child) in CALLS:
                        self.calls.append((place, ast.Call(child.args[0], child.args[1:], child.keywords)))
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(target, value, place)
                case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                    self._bind(target, value, place)
                case ast.comprehension(target=target, iter=value) | ast.NamedExpr(target=target, value=value):
                    self._bind(target, value, place)
                case ast.AugAssign(target=target, value=value):
                    self._bind(target, value, place)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._bind(target, value, place)
            self._walk(child, within)

    def _bind(self, target: ast.expr, value: ast.expr, place: Place) -> None:
        match target, value:
            case ast.Tuple(elts=several), ast.Tuple(elts=values) if len(several) == len(values):
                for each, own in zip(several, values, strict=True):
                    self._bind(each, own, place)
            case ((ast.Tuple(elts=several) | ast.List(elts=several)), _):
                for each in several:
                    self._bind(each, value, place)
            case ((ast.Starred(value=one) | ast.Subscript(value=one)), _):
                self._bind(one, value, place)
            case ast.Attribute(attr=name), _:
                self._attributes.setdefault(name, []).append((place, value))
            case ast.Name(id=name), _ if place.function is None:
                self._constants.setdefault(name, []).append((place, value))
            case ast.Name(id=name), _:
                self._bound.setdefault((place.file, id(place.function), name), []).append(value)


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def inner(call: ast.Call) -> list[ast.expr]:
    """What a method is called on."""
    return [call.func.value] if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) != "dict" else []


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """What a call gives for a parameter; a starred argument may be any."""
    for at, given in enumerate(call.args):
        if at == position or isinstance(given, ast.Starred):
            return given
    return next((each.value for each in call.keywords if each.arg == keyword), None)


def parameter_of(function: Function, node: ast.expr) -> tuple[int, str] | None:
    """Place (`self` not counted) and name of the parameter that this is."""
    if function is None or not isinstance(node, ast.Name):
        return None
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if names[:1] in (["self"], ["cls"]):
        del names[0]
    names += [each.arg for each in function.args.kwonlyargs]
    return (names.index(node.id), node.id) if node.id in names else None
