"""Architecture is a test too: this tree keeps the rules of the house, and every rule can fail."""

import tempfile
import unittest
from pathlib import Path

import rules

HOUSE = Path(__file__).parents[2]


class TheHouse(unittest.TestCase):
    """One test a rule, so that a failure names the rule and lists every place."""


def _keeps(rule):
    def test(self):
        found = rule(self.tree)
        if found:
            self.fail("\n" + "\n".join(found))
    return test


TheHouse.tree = rules.Tree(HOUSE)
for _rule in rules.RULES:
    setattr(TheHouse, f"test_{_rule.__name__}", _keeps(_rule))


# The smallest house that keeps every rule. Each test below breaks one thing in it.
GOOD = {
    "docs/rooms.toml": '[foundation]\npurpose = "ground"\ndoors = []\n'
                       '[ledger]\npurpose = "memory"\ndoors = ["foundation"]\n'
                       '[portal]\npurpose = "front"\ndoors = ["foundation", "ledger"]\n'
                       '[apps]\npurpose = "program"\ndoors = "every room"\n'
                       '[tests]\npurpose = "tests"\ndoors = "every room"\n',
    "docs/dependencies.md": "# Guests\n\n- `libsodium`: boxes, in foundation\n",
    "cmake/dependencies.cmake": "find_package(Threads)\npkg_check_modules(sodium REQUIRED libsodium>=1)\n",
    "ARCHITECTURE.md": None,  # drawn from the plan
    "README.md": "# House\n\nSee [the ledger](src/ledger/ledger.cpp#L2) and [memory](src/ledger/README.md#always-true).\n",
    "src/foundation/README.md": "# foundation\n",
    "src/foundation/CMakeLists.txt": "consilium_room(foundation DOORS PRIVATE PkgConfig::sodium)\n",
    "src/foundation/include/consilium/foundation/result.hpp": "#include <tl/expected.hpp>\n",
    "src/ledger/README.md": "# ledger\n\n## Always true\n",
    "src/ledger/CMakeLists.txt": "consilium_room(ledger DOORS foundation)\n",
    "src/ledger/include/consilium/ledger/ledger.hpp": "#include <map>\n#include \"consilium/foundation/result.hpp\"\n",
    "src/ledger/rule.hpp": "int rule();\n",
    "src/ledger/ledger.cpp": "#include \"rule.hpp\"\n// no float, no rand() here; \"double\" spending\nint height = 1'000;\n",
    "src/portal/README.md": "# portal\n",
    "src/portal/CMakeLists.txt": "consilium_room(portal DOORS foundation ledger)\n",
    "src/portal/include/consilium/portal/portal.hpp": "#include \"consilium/ledger/ledger.hpp\"\n",
    "apps/consilium/main.cpp": "#include \"consilium/portal/portal.hpp\"\n",
    "tests/ledger/ledger_test.cpp": "#include \"rule.hpp\"\n#include \"consilium/portal/portal.hpp\"\n",
}


def violations_of(changes):
    """What the rules find in the good house with some files changed (None: taken away)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **changes}.items():
            if text is not None:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        if "ARCHITECTURE.md" not in changes:
            Path(folder, "ARCHITECTURE.md").write_text("# Plan\n\n" + rules.table(rules.Tree(folder)) + "\n",
                                                       encoding="utf-8")
        tree = rules.Tree(folder)
        return [violation for rule in rules.RULES for violation in rule(tree)]


class EveryRuleCanFail(unittest.TestCase):
    def expect(self, changes, *words):
        """Exactly one violation, and it says what is wrong and where."""
        found = violations_of(changes)
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def added(self, name, line):
        return {name: GOOD[name] + line}

    def test_a_good_house_has_no_violation(self):
        self.assertEqual(violations_of({}), [])

    def test_a_circle_is_found(self):
        plan = GOOD["docs/rooms.toml"].replace('doors = []', 'doors = ["portal"]')
        self.expect({"docs/rooms.toml": plan,
                     "src/foundation/CMakeLists.txt": "consilium_room(foundation DOORS portal)\n"},
                    "circle", "foundation", "portal")

    def test_a_door_to_no_room_is_found(self):
        found = violations_of({"docs/rooms.toml": GOOD["docs/rooms.toml"].replace('["foundation"]', '["cellar"]')})
        self.assertIn("docs/rooms.toml: ledger has a door to cellar, which is no room", found)

    def test_a_room_without_purpose_is_found(self):
        self.expect({"docs/rooms.toml": GOOD["docs/rooms.toml"].replace('"ground"', '""')}, "foundation", "what it is for")

    def test_an_old_drawing_of_the_plan_is_found(self):
        self.expect({"ARCHITECTURE.md": "# Plan\n"}, "ARCHITECTURE.md", "table")

    def test_an_include_without_a_door_is_found(self):
        self.expect(self.added("src/ledger/rule.hpp", '#include "consilium/portal/portal.hpp"\n'),
                    "src/ledger/rule.hpp:2", "ledger has no door to portal")

    def test_an_include_of_a_file_behind_the_door_is_found(self):
        self.expect(self.added("apps/consilium/main.cpp", '#include "consilium/ledger/rule.hpp"\n'),
                    "apps/consilium/main.cpp:2", "no front door")

    def test_an_include_of_a_room_that_is_not_there_is_found(self):
        self.expect(self.added("apps/consilium/main.cpp", '#include "consilium/attic/box.hpp"\n'), "no room attic")

    def test_reaching_around_a_door_is_found(self):
        self.expect(self.added("apps/consilium/main.cpp", '#include "../../src/ledger/rule.hpp"\n'), "reaches around")

    def test_another_rooms_furniture_is_found(self):
        self.expect({"src/portal/portal.cpp": '#include "rule.hpp"\n'}, "src/portal/portal.cpp:1", "furniture of ledger")
        self.expect({"tests/portal/portal_test.cpp": '#include "rule.hpp"\n'}, "furniture of ledger")
        self.expect({"tests/fuzz/portal_rule.cpp": '#include "rule.hpp"\n'}, "furniture of ledger")
        self.assertEqual(violations_of({"tests/fuzz/ledger_rule.cpp": '#include "rule.hpp"\n'}), [])

    def test_a_guest_in_a_front_door_is_found(self):
        self.expect(self.added("src/ledger/include/consilium/ledger/ledger.hpp", "#include <sodium.h>\n"),
                    "ledger.hpp:3", "guest")

    def test_a_target_with_other_doors_is_found(self):
        self.expect({"src/ledger/CMakeLists.txt": "consilium_room(ledger DOORS foundation portal PRIVATE x)\n"},
                    "src/ledger/CMakeLists.txt", "portal")

    def test_a_link_past_the_doors_is_found(self):
        self.expect(self.added("src/ledger/CMakeLists.txt", "target_link_libraries(consilium_ledger PUBLIC consilium::portal)\n"),
                    "past its DOORS")

    def test_a_room_without_readme_or_front_door_is_found(self):
        found = violations_of({"src/portal/README.md": None})
        self.assertIn("src/portal: no README.md", found)
        found = violations_of({"src/portal/include/consilium/portal/portal.hpp": None})
        self.assertTrue(any("src/portal: no front door" in f for f in found), found)

    def test_a_room_outside_the_plan_is_found(self):
        self.expect({"src/attic/box.cpp": "int box;\n"}, "src/attic", "not in docs/rooms.toml")

    def test_forbidden_words_are_found(self):
        for line, why in [("int x = rand();", "chance"), ("float x;", "floating point"), ("double x;", "floating point"),
                          ("std::unordered_map<int, int> m;", "unordered"), ("auto t = std::chrono::system_clock::now();", "clock"),
                          ("std::thread t;", "one thread"), ('std::cout << "x";', "only apps speak")]:
            with self.subTest(line):
                self.expect(self.added("src/ledger/ledger.cpp", line + "\n"), "src/ledger/ledger.cpp:4", why)

    def test_an_unfinished_mark_is_found(self):
        self.expect(self.added("src/ledger/ledger.cpp", "// TO" "DO later\n"), "ledger.cpp:4", "unfinished")

    def test_a_long_source_is_found(self):
        self.expect({"src/ledger/long.cpp": "int x;\n" * 900}, "900 lines")
        self.assertEqual(violations_of({"src/ledger/long.cpp": "int x;\n" * 899}), [])

    def test_a_path_of_one_machine_and_a_registry_host_are_found(self):
        for text in ["/" + "work/main/x", "/" + "home/alice/x", "https://" + "files.example.org/x", "py" + "pi.org"]:
            with self.subTest(text):
                self.expect(self.added("README.md", f"\nsee {text}\n"), "README.md:5", "one machine or a registry")

    def test_a_link_to_nowhere_is_found(self):
        for target, why in [("docs/gone.md", "leads nowhere"), ("src/ledger/ledger.cpp#L99", "behind the end"),
                            ("src/ledger/README.md#never-true", "no such heading"), ("../elsewhere", "out of the house"),
                            ("/README.md", "not relative")]:
            with self.subTest(target):
                self.expect(self.added("README.md", f"\n[x]({target})\n"), "README.md:5", why)
        self.expect(self.added("README.md", '\n<img src="docs/gone.svg">\n'), "leads nowhere")

    def test_code_in_a_document_is_not_a_link(self):
        self.assertEqual(violations_of(self.added("README.md", "\n```\n# no heading\n[x](gone.md)\n```\n`[y](gone.md)`\n")), [])

    def test_two_titles_or_none_are_found(self):
        self.expect(self.added("README.md", "\n# Again\n"), "2 headings")
        self.expect({"docs/page.md": "no title\n"}, "docs/page.md", "0 headings")

    def test_a_guest_without_introduction_is_found(self):
        self.expect(self.added("cmake/dependencies.cmake", "find_package(Zlib)\n"), "Zlib has no line")
        self.expect(self.added("src/portal/CMakeLists.txt", "pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl>=7)\n"),
                    "libcurl has no line")

    def test_a_guest_in_another_room_is_found(self):
        self.expect({"src/ledger/CMakeLists.txt": "consilium_room(ledger DOORS foundation PRIVATE PkgConfig::sodium)\n"},
                    "PkgConfig::sodium does not live in ledger")

    def test_a_test_that_is_named_and_not_there_is_found(self):
        tests = {"tests/ledger/ledger_test.cpp": "TEST_F(Ledger, keeps_what_was_agreed) {}\n"}
        page = "# Threats\n\n| attack | guard | tests |\n|---|---|---|\n| 1 fork | log | {} |\n\n| a | b |\n|---|---|\n| no | rule |\n"
        for name in ["`Ledger.keeps_what_was_agreed`", "`Ledger.*`", "`Led*.keeps*agreed`; see `SECURITY.md`"]:
            self.assertEqual(violations_of({**tests, "docs/threat-model.md": page.format(name)}), [])
        for name, why in [("`Ledger.forgets`", "no test Ledger.forgets"), ("`Ledgers.*`", "no test Ledgers.*"), ("`*.attack_4*`", "no test *.attack_4*"),
                          ("trust us", "names no test")]:
            with self.subTest(name):
                self.expect({**tests, "docs/threat-model.md": page.format(name)}, "docs/threat-model.md:5", why)

    def test_a_download_by_cmake_is_found(self):
        self.expect(self.added("cmake/dependencies.cmake", "include(FetchContent)\n"), "downloads nothing")


if __name__ == "__main__":
    unittest.main()
