"""Loops of the kernels that gcc does not vectorise, held against `vectors.txt`: ``python tests/vectors.py FOLDER``.

The folder is what a build with ``SKPOOL_VECTORS=FOLDER`` leaves: for each kernel its C code and gcc's report. A loop
counts if no loop is written within it, and gcc says that it could not vectorise it and nowhere that it did; it counts
once for each combination of types that its function is compiled for. A line of the table is a function, how many such
loops it has, and why. It must be so exactly: a loop that no longer vectorises is a defect, and one that now does is
struck off. Another version of gcc than the table's decides otherwise; then nothing is compared, and a line says so.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TABLE = Path(__file__).with_suffix(".txt")

#: The head of a C function, and what Cython puts before its name in a kernel.
FUNCTION = re.compile(r"\s*\w[\w *]*?\b(\w+)\((.*)\) \{")
CYTHON_NAME = re.compile(r"__pyx_f_6skpool_7kernels_(\d+)")
ARGUMENT = re.compile(r"(?:struct )?(\w+)(?: const)? \*+(?:const )?__pyx_v_")
LOOP = re.compile(r"\s*(for|while) \(")
PLACE = re.compile(r'\s*/\* "(.+?)":(\d+)$')
REPORT = re.compile(r"(.+?):(\d+):\d+: (?:optimized|missed): +(.+)")

VECTORISED, REFUSED = "loop vectorized", "couldn't vectorize loop"


def innermost_loops(code):
    """Yield ``(line, function, text)`` for each loop of C code that holds no other; the text says where and on what."""
    depth, function, types, place, outer = 0, None, "", "", []
    for number, line in enumerate(code, 1):
        if depth == 0 and (head := FUNCTION.match(line)):
            name, arguments = head.groups()
            types = ", ".join(dict.fromkeys(re.sub("__pyx_t_.*_", "", found) for found in ARGUMENT.findall(arguments)))
            place = ""
            # Cython's names say how long the module's is: "..._8order_v3_pick".
            own = CYTHON_NAME.search(name)
            function = name[own.end() + int(own[1]) + 1 :] if own else name
        if found := PLACE.match(line):
            place = ":".join(found.groups())
        if LOOP.match(line):
            outer = [(*loop[:-1], False) for loop in outer]
            outer.append((number, depth, function, f"{place} ({types})", True))
        depth += line.count("{") - line.count("}")
        while outer and depth <= outer[-1][1]:
            number_of, _, name, text, innermost = outer.pop()
            if innermost and name:
                yield number_of, name, text
        if depth == 0:
            function = None


def refused(folder):
    """Loops that no report says are vectorised: a dict of lists of places by ``kernel.function``."""
    found = defaultdict(list)
    for report in sorted(folder.glob("*.txt")):
        said = defaultdict(set)
        for line in report.read_text().splitlines():
            if (match := REPORT.match(line)) and Path(match[1]).name == f"{report.stem}.c":
                said[int(match[2])] |= {word for word in (VECTORISED, REFUSED) if match[3].startswith(word)}
        code = report.with_suffix(".c").read_text().splitlines()
        for number, function, text in innermost_loops(code):
            if said[number] == {REFUSED} and not (text.startswith("View.") or function.startswith("__")):
                found[f"{report.stem}.{function}"].append(text)
    return found


def main():
    """Compare, and say what differs."""
    folder = Path(sys.argv[1])
    compiler, *rows = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    known = {function: int(count) for function, count, _ in (row.split(maxsplit=2) for row in rows)}
    used = subprocess.run(
        [os.environ.get("CC", "cc"), "-dumpversion"], capture_output=True, text=True, check=True
    ).stdout
    if used.strip() != compiler:
        print(f"not compared: the table is of gcc {compiler}, the compiler here is of version {used.strip()}")
        return
    found = refused(folder)
    if not found:
        sys.exit(f"{folder} holds no reports: build with SKPOOL_VECTORS={folder}")
    wrong = sorted(name for name in {*known, *found} if known.get(name, 0) != len(found[name]))
    for name in wrong:
        print(f"{name} has {len(found[name])} loops that do not vectorise, {TABLE.name} says {known.get(name, 0)}:")
        print(*(f"    {text}" for text in found[name]), sep="\n")
    loops = sum(map(len, found.values()))
    print(f"{loops} loops of {len(found)} functions do not vectorise; {len(wrong)} functions are not as expected")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
