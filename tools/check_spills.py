#!/usr/bin/env python3
"""Checks the machine code of the hot loops: no spills, and the arithmetic that belongs there.

usage: check_spills.py LIBRARY
       check_spills.py --self-test

Disassembles LIBRARY (libquintet.a) with objdump. Each kernel in HOT_LOOPS must have an innermost loop
with as much arithmetic as the list says, and no such loop may touch the stack: compilers spill wide
accumulator tiles without a word, and the loop then runs at half its speed. Prints one line for each
loop. Exit code 77: objdump is missing.
"""

import pathlib
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

SKIPPED = 77

FMA = r"vfmadd\d+ps"
VNNI = r"vpdpbusds?"
BF16 = r"vdpbf16ps"
MADD = r"vpmaddwd"
MADDUBS = r"vpmaddubsw"


class HotLoop(NamedTuple):
    object: str  # Object file in the library.
    symbol: str  # Pattern of the demangled name of the function, up to its arguments.
    arithmetic: str  # Pattern of the instructions that count.
    fewest: int  # That many in an innermost loop make it the hot one.
    most_on_stack: int = 0  # Instructions of it that touch the stack.


# A pattern may stand for several functions, each of which must keep the promise. The numbers of the
# matrix kernels are rows times registers of channels times lines in a round.
HOT_LOOPS = [
    *(HotLoop("gemm_avx512.cc.o", rf"tile_{rows}_f32", FMA, 16 * rows) for rows in range(1, 7)),
    *(HotLoop("gemm_avx512.cc.o", rf"tile_{rows}_i8", VNNI, 16 * rows) for rows in range(1, 7)),
    *(HotLoop("gemm_avx512.cc.o", rf"tile_{rows}_bf16", BF16, 16 * rows) for rows in range(1, 7)),
    *(HotLoop("gemm_avx512.cc.o", rf"tile_{rows}_bf16_as_f32", FMA, 32 * rows)
      for rows in range(1, 7)),
    HotLoop("gemm_avx512.cc.o", r"pair_f32", FMA, 32),
    HotLoop("gemm_avx512.cc.o", r"pair_i8", VNNI, 32),
    HotLoop("gemm_avx512.cc.o", r"pair_bf16", BF16, 32),
    HotLoop("gemm_avx512.cc.o", r"pair_bf16_as_f32", FMA, 64),
    *(HotLoop("gemm_avx2.cc.o", rf"tile_{rows}_f32", FMA, 2 * rows) for rows in range(2, 7)),
    *(HotLoop("gemm_avx2.cc.o", rf"tile_{rows}_bf16", FMA, 4 * rows) for rows in range(1, 7)),
    *(HotLoop("gemm_avx2.cc.o", rf"tile_{rows}_i8", MADD, 2 * rows) for rows in range(1, 7)),
    *(HotLoop("gemm_avx2.cc.o", rf"tile_{rows}_i8_vnni", VNNI, 2 * rows) for rows in range(2, 7)),
    HotLoop("gemm_avx2.cc.o", r"tile_1_f32", FMA, 8),
    HotLoop("gemm_avx2.cc.o", r"tile_1_i8_vnni", VNNI, 8),
    # One operand in memory is meant.
    *(HotLoop("int4_avx512.cc.o", rf"part_{rows}", VNNI, 16 * rows, most_on_stack=1)
      for rows in range(1, 7)),
    *(HotLoop("int4_avx2.cc.o", rf"avx2::.*part_{rows}", MADDUBS, 16 * rows)
      for rows in range(1, 4)),
    *(HotLoop("int4_avx2.cc.o", rf"avx_vnni::.*part_{rows}", VNNI, 16 * rows)
      for rows in range(1, 4)),
    HotLoop("int4_avx512.cc.o", r"int4_one_row", VNNI, 8),
    HotLoop("int4_avx512.cc.o", r"two_rows", VNNI, 64),
    # Eight sums and two words of x leave few registers; memory is slower than these.
    HotLoop("int4_avx2.cc.o", r"avx_vnni::.*int4_one_row", VNNI, 16, most_on_stack=3),
    HotLoop("int4_avx2.cc.o", r"avx2::.*int4_one_row", MADDUBS, 16, most_on_stack=6),
    HotLoop("attend_i8.cc.o", r"f32(x8|x16)::.*weigh_row", FMA, 4),
    HotLoop("softmax.cc.o", r"f32x16::.*softmax_row", FMA, 32),
    # Thirteen constants and four sums exceed the sixteen registers of AVX2. The loads are operands
    # of instructions that are there anyway; the sums wait less for memory than for the exponential.
    HotLoop("softmax.cc.o", r"f32x8::.*softmax_row", FMA, 32, most_on_stack=16),
    HotLoop("activation.cc.o", r"gelu_avx(2|512)", FMA, 12),
    HotLoop("norm.cc.o", r"f32(x8|x16)::.*layer_norm_row", FMA, 4),
    HotLoop("attend.cc.o", r"f32(x8::.*score_keys|x16::.*dot_keys<4>)", FMA, 4),
    HotLoop("attend.cc.o", r"f32(x8|x16)::.*weighted_sum<4>", FMA, 8),
    HotLoop("loops.cc.o", r"fma_avx(2|512)", FMA, 12),
    HotLoop("loops.cc.o", r"int8_avx(_vnni|512)", VNNI, 12),
    HotLoop("loops.cc.o", r"int8_avx2", MADD, 12),
    HotLoop("loops.cc.o", r"bf16_avx512", BF16, 12),
]

OBJECT = re.compile(r"^(\S+):\s+file format (\S+)$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\t((?:(?:lock|rep|repz|repnz|notrack|\{vex\}) )*)(\S+)"
                         r"\s*([^#<]*)")
# A place on the stack as an operand. rbp counts only where it is a frame pointer: otherwise it is a
# register like any other.
STACK = re.compile(r"\(%rsp[,)]|\(,%rsp")
FRAME = re.compile(r"\(%rbp[,)]")


class Instruction(NamedTuple):
    address: int
    name: str
    operands: str


class Loop(NamedTuple):
    body: list
    arithmetic: int
    stack: int


def functions(listing):
    """(object file, function, instructions) for each function in a listing of objdump."""
    file, name, body = "", None, []
    for line in listing:
        if match := OBJECT.match(line):
            file = pathlib.PurePath(match.group(1)).name
        elif match := FUNCTION.match(line):
            if name:
                yield function_file, name, body
            function_file, name, body = file, match.group(1), []
        elif name and (match := INSTRUCTION.match(line)):
            body.append(Instruction(int(match.group(1), 16), match.group(3), match.group(4).strip()))
    if name:
        yield function_file, name, body


def jump_target(instruction):
    """The address that it may jump to, or None."""
    if instruction.name.startswith("j") and re.fullmatch(r"[0-9a-f]+", instruction.operands):
        return int(instruction.operands, 16)
    return None


def runs_round(code):
    """Whether the last instruction can be reached from the first one: a jump back to a shared end of
    the function makes no loop."""
    at = {instruction.address: i for i, instruction in enumerate(code)}
    open_ends, seen = [0], set()
    while open_ends:
        i = open_ends.pop()
        if i in seen or i >= len(code):
            continue
        seen.add(i)
        name = code[i].name
        if (target := at.get(jump_target(code[i]))) is not None:
            open_ends.append(target)
        if not name.startswith(("jmp", "ret")):
            open_ends.append(i + 1)
    return len(code) - 1 in seen


def innermost_loops(body):
    """The instructions from the target of a jump backwards to the jump, where no loop is inside."""
    loops = {}
    for end, instruction in enumerate(body):
        target = jump_target(instruction)
        if target is None:
            continue
        begin = next((i for i in range(end + 1) if body[i].address == target), None)
        if begin is not None and runs_round(body[begin:end + 1]):
            loops[begin, end] = body[begin:end + 1]
    for (begin, end), code in loops.items():
        if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in loops):
            yield code


def measured_loops(body, arithmetic):
    """The innermost loops that compute."""
    frame = any(i.name == "mov" and i.operands == "%rsp,%rbp" for i in body)
    loops = []
    for loop in innermost_loops(body):
        count = sum(bool(re.fullmatch(arithmetic, i.name)) for i in loop)
        stack = sum(bool(STACK.search(i.operands) or (frame and FRAME.search(i.operands)))
                    and not i.name.startswith("lea") for i in loop)
        if count:
            loops.append(Loop(loop, count, stack))
    return loops


def short_name(function):
    """Without namespaces but for the width of vectors, and without arguments."""
    plain = function.replace("(anonymous namespace)::", "").replace("void ", "", 1)
    plain = plain.split("(")[0]
    return re.sub(r"\b(?:quintet|kernels|internal)::", "", plain)


def check(listing, hot_loops):
    """(lines that tell what was found, violations)."""
    wanted = [(hot, re.compile(rf"(?:.*\W)?(?:{hot.symbol})(?:\(.*\).*|<.*)?")) for hot in hot_loops]
    found = dict.fromkeys(hot_loops, 0)
    report, violations = [], []
    for file, name, body in functions(listing):
        for hot, pattern in wanted:
            if hot.object != file or ".cold]" in name or not pattern.fullmatch(name):
                continue
            found[hot] += 1
            loops = measured_loops(body, hot.arithmetic)
            for loop in loops:
                told = (f"{file} {short_name(name)}: {loop.arithmetic} {hot.arithmetic} among the "
                        f"{len(loop.body)} instructions of a loop, {loop.stack} touch the stack")
                if loop.arithmetic >= hot.fewest:
                    report.append(told)
                    if loop.stack > hot.most_on_stack:
                        violations.append(f"{told}, {hot.most_on_stack} may")
            most = max((loop.arithmetic for loop in loops), default=0)
            if most < hot.fewest:
                violations.append(f"{file} {short_name(name)}: {most} {hot.arithmetic} in an "
                                  f"innermost loop, expected {hot.fewest} or more")
    violations += [f"{hot.object}: no function matches {hot.symbol}; is HOT_LOOPS out of date?"
                   for hot, count in found.items() if count == 0]
    return report, violations


def disassemble(library):
    process = subprocess.Popen(["objdump", "-d", "-C", "--no-show-raw-insn", library],
                               stdout=subprocess.PIPE, text=True, errors="replace")
    yield from process.stdout
    if process.wait() != 0:
        sys.exit(f"check_spills.py: objdump failed on {library}")


SELF_TEST = """\
a.cc.o:     file format elf64-x86-64
0000000000000000 <ns::(anonymous namespace)::{name}(void const*, long)>:
   0:\tpush   %rbp
   1:\tmov    {pointer},%rbp
   4:\tmov    0x8(%rsp),%rax
  10:\tvfmadd231ps %zmm0,%zmm1,%zmm2
  18:\t{middle}
  20:\tvfmadd231ps %zmm0,%zmm1,%zmm3
  28:\tdec    %rax
  2b:\t{jump}
  30:\tmov    %rax,0x10(%rsp)
  38:\tret
"""


def self_test():
    good = dict(name="tile", pointer="%rdi", middle="vmovaps (%rdx),%zmm4", jump="jne    10 <ns::x>")
    cases = [  # (changes, fewest, number of violations)
        ({}, 2, 0),
        ({}, 3, 1),
        ({"middle": "vmovaps %zmm4,0x40(%rsp)"}, 2, 1),
        ({"middle": "vmovaps (%rsp,%rcx,8),%zmm4"}, 2, 1),
        ({"middle": "vfmadd231ps 0x40(%rsp){1to16},%zmm1,%zmm4"}, 2, 1),
        ({"middle": "lea    0x40(%rsp),%rcx"}, 2, 0),
        ({"middle": "vmovaps -0x40(%rbp),%zmm4"}, 2, 0),
        ({"middle": "vmovaps -0x40(%rbp),%zmm4", "pointer": "%rsp"}, 2, 1),
        ({"jump": "jne    30 <ns::x>"}, 2, 1),
        ({"jump": "jmp    10 <ns::x>"}, 2, 0),
        ({"jump": "jne    20 <ns::x>"}, 2, 1),
        ({"name": "tile_other"}, 2, 1),
        ({"name": "tile<4>"}, 2, 0),
        ({"name": "textile"}, 2, 1),
        ({"middle": "ret", "jump": "jne    4 <ns::x>"}, 2, 1),
        # The outer loop may use the stack, its inner loop may not.
        ({"middle": "jne    10 <ns::x>", "jump": "jne    4 <ns::x>"}, 1, 0),
    ]
    problems = []
    for changes, fewest, expected in cases:
        text = SELF_TEST
        for key, value in {**good, **changes}.items():
            text = text.replace("{" + key + "}", value)
        _, violations = check(text.splitlines(), [HotLoop("a.cc.o", "tile", FMA, fewest)])
        if len(violations) != expected:
            problems.append(f"{changes}: {violations or 'nothing found'}, expected {expected}")
    return problems


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        sys.exit("\n".join(self_test()) or 0)
    if len(arguments) != 1:
        sys.exit(__doc__.strip())
    if shutil.which("objdump") is None:
        print("skipped: objdump is missing; it is in the package binutils")
        sys.exit(SKIPPED)
    report, violations = check(disassemble(arguments[0]), HOT_LOOPS)
    print("\n".join(dict.fromkeys(report)))  # A loop that is unrolled stands there several times.
    sys.exit("\n".join(violations) or 0)


if __name__ == "__main__":
    main()
