"""What the compiler gave each CUDA kernel: registers, stack and static shared memory.

    resources.py report OBJECT...        a line for each kernel in these object files or programs
    resources.py check REPORT BUDGETS    whether a report keeps the budgets; exit code 1 if not

Machine code lies in an object file as whole ELF images (CUDA's, machine number 190), uncompressed.
A kernel has a section .text.NAME, static shared memory is the size of .nv.shared.NAME, and .nv.info
tells the registers of a thread and the bytes of its stack. Spilled registers, and arrays that are
indexed at run time, are in the stack: local memory.
"""

import re
import struct
import subprocess
import sys
from collections import defaultdict
from typing import NamedTuple

MACHINE_CUDA = 190
ATTRIBUTE_FRAME_SIZE = 0x11
ATTRIBUTE_REGISTERS = 0x2F
FORMAT_OF_PAIRS = 4  # an attribute with (symbol, value) behind it


class Kernel(NamedTuple):
    """A kernel as compiled for one architecture; sizes in bytes."""

    name: str
    architecture: str
    registers: int
    stack: int
    shared: int


def images(data: bytes):
    """The offsets of the ELF images of machine code in a file."""
    at = data.find(b"\x7fELF")
    while at >= 0:
        if len(data) >= at + 64 and struct.unpack_from("<H", data, at + 18)[0] == MACHINE_CUDA:
            yield at
        at = data.find(b"\x7fELF", at + 1)


def text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def attributes(info: bytes):
    """(attribute, symbol, value) of the section .nv.info."""
    at = 0
    while at + 4 <= len(info):
        form, attribute, size = struct.unpack_from("<BBH", info, at)
        at += 4
        if form != FORMAT_OF_PAIRS:
            continue  # what the others hold is in `size` itself
        if size == 8:
            yield attribute, *struct.unpack_from("<II", info, at)
        at += size


def kernels_of_image(data: bytes):
    """The kernels of one ELF image, which begins the data."""
    table, = struct.unpack_from("<Q", data, 40)
    flags, = struct.unpack_from("<I", data, 48)
    entry, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry) for i in range(count)]
    sections = {text(data, headers[names][4] + h[0]): h for h in headers}

    symbols = sections[".symtab"]
    strings = sections[".strtab"][4]
    symbol_names = [
        text(data, strings + struct.unpack_from("<I", data, symbols[4] + at)[0])
        for at in range(0, symbols[5], symbols[9])
    ]
    values = defaultdict(dict)
    info = sections[".nv.info"]
    for attribute, symbol, value in attributes(data[info[4] : info[4] + info[5]]):
        values[symbol_names[symbol]][attribute] = value

    for name in sections:
        if not name.startswith(".text."):
            continue
        kernel = name.removeprefix(".text.")
        shared = sections.get(".nv.shared." + kernel)
        yield Kernel(
            kernel,
            f"sm_{flags >> 8 & 0xFF}",
            values[kernel][ATTRIBUTE_REGISTERS],
            values[kernel][ATTRIBUTE_FRAME_SIZE],
            shared[5] if shared else 0,
        )


def demangled(names):
    filtered = subprocess.run(
        ["c++filt", "-p"], input="\n".join(names), capture_output=True, text=True, check=True
    )
    return filtered.stdout.splitlines()


def base_name(kernel: str) -> str:
    """The kernel's own name, without namespaces, parameters and template arguments."""
    depth = 0
    for at, c in enumerate(kernel):
        if c == "<" and depth == 0:
            kernel = kernel[:at]
            break
        depth += (c == "(") - (c == ")")  # of "(anonymous namespace)"
    return kernel.rsplit("::", 1)[-1].split("(")[0]


def budget_name(kernel: str, budgets):
    """What the kernel's budget is called: name<a,b> where these template arguments of its, one
    after another, have a budget of their own, the most of them that have; else its name. Arguments
    are types and numbers; enumerators, "(Enum)2", are left out."""
    name = base_name(kernel)
    arguments = re.findall(r"(?<![\w)])(\w+)(?=[,>])", kernel)
    own = (
        f"{name}<{','.join(arguments[at : at + length])}>"
        for length in range(len(arguments), 0, -1)
        for at in range(len(arguments) - length + 1)
    )
    return next((candidate for candidate in own if candidate in budgets), name)


def report(paths):
    kernels = []
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        for at in images(data):
            kernels += kernels_of_image(data[at:])
    kernels.sort()
    lines = ["architecture registers stack shared kernel"]
    for kernel, name in zip(kernels, demangled(k.name for k in kernels)):
        lines.append(
            f"{kernel.architecture} {kernel.registers} {kernel.stack} {kernel.shared} {name}"
        )
    print("\n".join(lines))


def read_budgets(path):
    """{kernel's name, or name<arguments>: (registers, shared bytes)}"""
    budgets = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                name, registers, shared = words
                budgets[name] = (int(registers), int(shared))
    return budgets


def check(report_path, budgets_path):
    """The number of complaints, each told in a line."""
    budgets = read_budgets(budgets_path)
    unseen = set(budgets)
    complaints = []
    with open(report_path, encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    for line in lines:
        architecture, registers, stack, shared, kernel = line.split(" ", 4)
        name = budget_name(kernel, budgets)
        unseen.discard(name)
        if name not in budgets:
            complaints.append(f"{kernel}: no budget; write one into {budgets_path}")
            continue
        for what, used, allowed in (
            ("bytes of stack", int(stack), 0),
            ("registers", int(registers), budgets[name][0]),
            ("bytes of shared memory", int(shared), budgets[name][1]),
        ):
            if used > allowed:
                complaints.append(
                    f"{kernel}, {architecture}: {used} {what}; expected at most {allowed}"
                )
    complaints += [f"{name}: has a budget, but no kernel is called so" for name in sorted(unseen)]
    for complaint in sorted(set(complaints)):
        print(complaint)
    if not complaints:
        print(f"{len(lines)} kernels keep their budgets")
    return len(complaints)


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "report":
        report(arguments[1:])
    elif len(arguments) == 3 and arguments[0] == "check":
        return 1 if check(*arguments[1:]) else 0
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
