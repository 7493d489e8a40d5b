"""The rules of the house, each a function from a tree to the places where it is broken.

`rules.py ROOT` prints every violation and ends with 1 if there is one; `rules.py --table` draws the table of
ARCHITECTURE.md from docs/rooms.toml. test_rooms.py runs the same functions on this tree and on bad ones.
"""

import fnmatch
import graphlib
import os
import re
import sys
import tomllib
import urllib.parse
from pathlib import Path

SOURCE_LINES_MAX = 899
SOURCES = {".cpp", ".hpp", ".c", ".h", ".py", ".ts", ".js"}
NOT_OURS = {".git", ".cache", "build", "out", "node_modules", "__pycache__"}
EVERY_ROOM = "every room"


class Tree:
    """The files of a tree, read once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - NOT_OURS)
            self.files += sorted(Path(folder, name).relative_to(self.root) for name in names)
        self._texts = {}
        self.plan = {}
        if Path("docs/rooms.toml") in self.files:
            self.plan = tomllib.loads(self.text(Path("docs/rooms.toml")))
        self.rooms = [name for name, entry in self.plan.items() if entry["doors"] != EVERY_ROOM]

    def text(self, path):
        """A file's text, empty for one that is not text."""
        if path not in self._texts:
            data = (self.root / path).read_bytes()
            try:
                self._texts[path] = "" if b"\0" in data else data.decode("utf-8")
            except UnicodeDecodeError:
                self._texts[path] = ""
        return self._texts[path]

    def sources(self, *tops):
        return [f for f in self.files if f.suffix in SOURCES and (not tops or f.parts[0] in tops)]

    def doors(self, owner):
        doors = self.plan[owner]["doors"]
        return set(self.rooms) if doors == EVERY_ROOM else set(doors)

    def owner(self, path):
        """The room a source belongs to; `apps` or `tests` for what may open every door."""
        if path.parts[0] == "src" and len(path.parts) > 2:
            return path.parts[1]
        return "apps" if path.parts[0] == "apps" else "tests"


def code_only(text):
    """The text without comments and string literals, line numbers kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"' + r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])'"
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def numbered(text):
    return enumerate(text.split("\n"), start=1)


def plan_has_no_circle(tree):
    found = []
    for name, entry in tree.plan.items():
        if not entry.get("purpose"):
            found.append(f"docs/rooms.toml: {name} does not say what it is for")
        if entry["doors"] != EVERY_ROOM:
            found += [f"docs/rooms.toml: {name} has a door to {door}, which is no room"
                      for door in entry["doors"] if door not in tree.rooms]
    graph = {room: tree.doors(room) for room in tree.rooms}
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        found.append("docs/rooms.toml: a circle: " + " → ".join(reversed(error.args[1])))
    return found


def plan_is_drawn_as_it_is(tree):
    page = Path("ARCHITECTURE.md")
    if page not in tree.files:
        return ["ARCHITECTURE.md is missing"]
    if table(tree) not in tree.text(page):
        return ["ARCHITECTURE.md: its table of rooms is not the one of docs/rooms.toml; "
                "draw it with python3 tests/house/rules.py --table"]
    return []


def table(tree):
    lines = ["| room | what it does | may open the door to |", "|---|---|---|"]
    for name, entry in tree.plan.items():
        title = f"[{name}](src/{name}/README.md)" if name in tree.rooms else name
        doors = entry["doors"] if entry["doors"] == EVERY_ROOM else ", ".join(entry["doors"]) or "—"
        lines.append(f"| {title} | {entry['purpose']} | {doors} |")
    return "\n".join(lines)


def rooms_are_complete(tree):
    found = []
    on_disk = {f.parts[1] for f in tree.files if f.parts[0] == "src" and len(f.parts) > 2}
    found += [f"src/{room}: not in docs/rooms.toml" for room in sorted(on_disk - set(tree.rooms))]
    for room in tree.rooms:
        if Path(f"src/{room}/README.md") not in tree.files:
            found.append(f"src/{room}: no README.md")
        front = Path(f"src/{room}/include/consilium/{room}")
        if not any(f.parent == front and f.suffix == ".hpp" for f in tree.files):
            found.append(f"src/{room}: no front door ({front}/*.hpp)")
    return found


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# What a front door may show of somebody else's library: the Result type is ours by name only.
GUESTS_AT_THE_DOOR = {"tl/expected.hpp"}


def includes_use_doors(tree):
    found = []
    private = {}
    for f in tree.files:
        if f.parts[0] == "src" and len(f.parts) > 2 and f.parts[2] != "include" and f.suffix == ".hpp":
            private.setdefault(f.name, set()).add(f.parts[1])
    for f in tree.sources("src", "apps", "tests", "docs"):
        owner = tree.owner(f)
        if owner not in tree.plan or f.suffix not in {".cpp", ".hpp"}:
            continue
        front = f.parts[0] == "src" and f.parts[2] == "include"
        # tests/ROOM sees the furniture of ROOM, as its own room does; so does tests/KIND/ROOM_WHAT (fuzz, constant_time).
        inside = f.parts[1] if f.parts[0] in {"src", "tests"} and len(f.parts) > 2 else None
        if inside not in tree.rooms and f.parts[0] == "tests":
            inside = f.name.split("_")[0]
        for number, line in numbered(tree.text(f)):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            place = f"{f}:{number}"
            if name.startswith("consilium/"):
                room = name.split("/")[1]
                if room not in tree.rooms:
                    found.append(f"{place}: there is no room {room}")
                elif room != owner and room not in tree.doors(owner):
                    found.append(f"{place}: {owner} has no door to {room}")
                elif Path(f"src/{room}/include/{name}") not in tree.files:
                    found.append(f"{place}: {room} has no front door {name}")
            elif ".." in name.split("/") or name.startswith("src/"):
                found.append(f"{place}: reaches around a door with {name}")
            elif kind == '"' and (f.parent / name) not in tree.files:
                rooms = private.get(name.split("/")[-1], set())
                if rooms and inside not in rooms:
                    found.append(f"{place}: {name} is the furniture of {', '.join(sorted(rooms))}")
            elif front and kind == "<" and name not in GUESTS_AT_THE_DOOR and not re.fullmatch("[a-z_0-9]+", name):
                found.append(f"{place}: the front door of {owner} shows a guest, {name}")
    return found


def targets_use_doors(tree):
    found = []
    for room in tree.rooms:
        path = Path(f"src/{room}/CMakeLists.txt")
        if path not in tree.files:
            found.append(f"{path}: missing")
            continue
        text = re.sub(r"#[^\n]*", "", tree.text(path))
        call = re.search(r"consilium_room\(\s*([a-z_]+)\s*(?:DOORS([^)]*?))?(?:PRIVATE[^)]*)?\)", text)
        if not call or call[1] != room:
            found.append(f"{path}: no consilium_room({room} DOORS …)")
            continue
        doors = set((call[2] or "").split())
        if doors != tree.doors(room):
            found.append(f"{path}: doors {sorted(doors)}, but docs/rooms.toml says {sorted(tree.doors(room))}")
        if re.search(r"consilium(::|_)(%s)\b" % "|".join(r for r in tree.rooms if r != room), text.replace(call[0], "")):
            found.append(f"{path}: links a room past its DOORS")
    return found


# (where, what, why): regular expressions over code without comments and strings.
FORBIDDEN = [
    (r"src/", r"\brand\s*\(|\bsrand\s*\(|\brandom_device\b", "chance is handed in (foundation/random.hpp)"),
    (r"src/ledger/", r"\b(float|double)\b", "no floating point in the ledger"),
    (r"src/ledger/", r"\bunordered_\w+", "no unordered container in the ledger"),
    (r"src/(ledger|sealing|alignment|learning|federation|diagnosis|casebase)/",
     r"\b(system_clock|steady_clock|high_resolution_clock)\b|\bstd::time\s*\(|\bSystemClock\b",
     "no clock where things are decided"),
    (r"src/ledger/", r"\bstd::(thread|jthread|async|random_\w+|mt19937\w*)\b", "one thread and no chance in the ledger"),
    (r"src/", r"\bstd::cout\b|(?<![\w:])printf\s*\(|\bstd::puts\b", "rooms return values; only apps speak"),
]


def words_are_allowed(tree):
    found = []
    for f in tree.sources("src"):
        rules = [(what, why) for where, what, why in FORBIDDEN if re.match(where, f.as_posix())]
        for number, line in numbered(code_only(tree.text(f))):
            for what, why in rules:
                if match := re.search(what, line):
                    found.append(f"{f}:{number}: {match.group().strip()}: {why}")
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for f in tree.files:
        if f.parts[0] in {"src", "apps", "web", "cmake", "tests"} or f.as_posix() in {"dev", "CMakeLists.txt"}:
            found += [f"{f}:{number}: an unfinished mark belongs in the issue tracker"
                      for number, line in numbered(tree.text(f)) if marks.search(line)]
    return found


def sources_are_short(tree):
    found = []
    for f in tree.sources("src", "apps", "tests", "web", "docs", "bench"):
        lines = tree.text(f).count("\n")
        if lines > SOURCE_LINES_MAX:
            found.append(f"{f}: {lines} lines; a source of 900 lines is two files")
    return found


# Paths that exist on one machine only, and the hosts behind package managers, which their users choose.
LEAKS = re.compile(
    r"(?:^|[^A-Za-z0-9._*~-])/(?:work|farm|home/[a-z]|root/|Users/[A-Za-z])"
    r"|https?://(?:registry|files|static|index|proxy|sum|repo1?|deb|security|central)\."
    r"|\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io|proxy\.golang\.org|maven\.org|deb\.debian\.org)\b")


def nothing_leaks(tree):
    found = []
    for f in tree.files:
        for number, line in numbered(tree.text(f)):
            if match := LEAKS.search(line):
                found.append(f"{f}:{number}: names a path of one machine or a registry host: {match.group().strip()}")
    return found


def without_fences(text):
    return re.sub(r"^(```|~~~).*?^\1[^\n]*$", lambda m: re.sub(r"[^\n]", " ", m.group()), text,
                  flags=re.DOTALL | re.MULTILINE)


def slugs(text):
    """The anchors of a page's headings, as the usual renderers make them."""
    seen = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*$", without_fences(text), flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        seen.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return seen


def documents_hold(tree):
    found = []
    for f in tree.files:
        if f.suffix != ".md":
            continue
        text = without_fences(tree.text(f))
        titles = len(re.findall(r"^# ", text, flags=re.MULTILINE))
        if titles != 1:
            found.append(f"{f}: {titles} headings of the first level instead of one")
        for number, line in numbered(re.sub(r"`[^`\n]*`", lambda m: " " * len(m.group()), text)):
            for target in re.findall(r"\]\(\s*<?([^)\s>]+)", line) + re.findall(r'(?:src|href|srcset)="([^"]+)"', line):
                if not re.match(r"[a-z][a-z0-9+.-]*:", target):
                    found += [f"{f}:{number}: {problem}" for problem in broken_link(tree, f, target)]
    return found


def broken_link(tree, page, target):
    path, _, anchor = target.partition("#")
    path = urllib.parse.unquote(path)
    if path.startswith("/"):
        return [f"{target} is not relative"]
    goal = Path(os.path.normpath(page.parent / path)) if path else page
    if goal.parts[:1] == ("..",):
        return [f"{target} leads out of the house"]
    if not (tree.root / goal).exists():
        return [f"{target} leads nowhere"]
    if anchor and goal in tree.files:
        text = tree.text(goal)
        if line := re.fullmatch(r"L(\d+)(?:-L(\d+))?", anchor):
            if int(line[2] or line[1]) > text.count("\n"):
                return [f"{target} is behind the end of the file"]
        elif goal.suffix == ".md" and anchor not in slugs(text):
            return [f"{target}: there is no such heading"]
    return []


def guests_are_introduced(tree):
    page = Path("docs/dependencies.md")
    if page not in tree.files:
        return ["docs/dependencies.md is missing"]
    introduced = tree.text(page).lower()
    found = []
    for f in tree.files:
        if f.name != "CMakeLists.txt" and f.suffix != ".cmake":
            continue
        for number, line in numbered(re.sub(r"#[^\n]*", "", tree.text(f))):
            names = re.findall(r"\bfind_package\(\s*(\w[\w-]*)", line)
            for modules in re.findall(r"\bpkg_check_modules\(([^)]*)\)", line):
                names += [re.split("[<>=]", word)[0] for word in modules.split()[1:]
                          if word not in {"REQUIRED", "IMPORTED_TARGET", "QUIET"}]
            found += [f"{f}:{number}: {name} has no line in docs/dependencies.md" for name in names
                      if name not in {"PkgConfig", "Threads"} and f"`{name.lower()}`" not in introduced]
            if re.search(r"\b(FetchContent\w*|ExternalProject\w*)\b|file\(\s*DOWNLOAD", line):
                found.append(f"{f}:{number}: CMake downloads nothing")
    return found


def guests_stay_in_their_rooms(tree):
    """A room links only guests whose line in docs/dependencies.md names the room."""
    page = Path("docs/dependencies.md")
    lines = tree.text(page).lower().splitlines() if page in tree.files else []
    found = []
    for room in tree.rooms:
        path = Path(f"src/{room}/CMakeLists.txt")
        text = re.sub(r"#[^\n]*", "", tree.text(path)) if path in tree.files else ""
        for space, target in re.findall(r"\b(\w+)::(\w+)", text):
            if space in {"consilium", "Threads"}:
                continue
            start = f"`lib{target}" if space == "PkgConfig" else f"`{space}"
            if not any(start.lower() in line and re.search(rf"\b{room}\b", line) for line in lines):
                found.append(f"{path}: {space}::{target} does not live in {room}, says docs/dependencies.md")
    return found


# A page that says what guards what names tests as `Suite.test_name`; a star stands for any part of it.
PAGES_THAT_NAME_TESTS = ("docs/threat-model.md", "tests/README.md")
NAMED_TEST = re.compile(r"`([A-Z*][\w*]*\.(?!(?:md|hpp|cpp|py|toml|json|csv)`)[\w*]+)`")
A_TEST = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
# A table whose last column is called `tests`: every row must name one, or nobody knows whether the guard stands.
HEAD_WITH_TESTS = re.compile(r"^\|.*\|\s*tests?\s*\|\s*$")


def named_tests_exist(tree):
    known = {f"{suite}.{name}" for f in tree.sources("tests") if f.suffix == ".cpp"
             for suite, name in A_TEST.findall(tree.text(f))}
    found = []
    for page in (Path(name) for name in PAGES_THAT_NAME_TESTS):
        if page not in tree.files:
            continue
        in_table = False
        for number, line in numbered(tree.text(page)):
            found += [f"{page}:{number}: there is no test {name}" for name in NAMED_TEST.findall(line)
                      if not fnmatch.filter(known, name)]
            is_head = bool(HEAD_WITH_TESTS.match(line))
            in_table = line.startswith("|") and (in_table or is_head)
            is_row = in_table and not is_head and not re.fullmatch(r"[|\s:-]+", line)
            if is_row and not NAMED_TEST.search(line.rstrip().rstrip("|").rsplit("|", 1)[-1]):
                found.append(f"{page}:{number}: this row names no test")
    return found


RULES = [plan_has_no_circle, plan_is_drawn_as_it_is, rooms_are_complete, includes_use_doors, targets_use_doors,
         words_are_allowed, sources_are_short, nothing_leaks, documents_hold, guests_are_introduced, guests_stay_in_their_rooms,
         named_tests_exist]


def main(arguments):
    if arguments == ["--table"]:
        print(table(Tree(Path(__file__).parents[2])))
        return 0
    if len(arguments) != 1:
        print("usage: rules.py ROOT | rules.py --table", file=sys.stderr)
        return 2
    tree = Tree(arguments[0])
    found = [violation for rule in RULES for violation in rule(tree)]
    print("\n".join(found) if found else f"{len(tree.files)} files, {len(RULES)} rules, nothing broken")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
