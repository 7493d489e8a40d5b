"""Writes a C++ source that holds the given text files: embed.py OUT BASE FILE..."""
import pathlib
import sys

out, base, *files = sys.argv[1:]
lines = ['#include "embedded_files.hpp"', "", "namespace consilium::app {", "",
         "auto embedded_file(std::string_view name) -> std::string_view {"]
for name in files:
    path = pathlib.Path(name)
    key = path.relative_to(base).as_posix()
    text = path.read_text(encoding="utf-8")
    # A raw string literal may hold 64 KiB; longer texts are cut and joined by the compiler.
    parts = [text[i:i + 8000] for i in range(0, len(text), 8000)] or [""]
    literal = "\n".join(f'R"embedded({part})embedded"' for part in parts)
    lines.append(f'  if (name == "{key}") return\n{literal};')
lines += ["  return {};", "}", "", "}  // namespace consilium::app", ""]
pathlib.Path(out).write_text("\n".join(lines), encoding="utf-8")
