"""The need of stack that is read from a disassembly, against the compiler's own numbers."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.runtime_c.building import RUNTIME
from tests.runtime_c.iss.engines import GCC, run_quietly, tool

HEAD = """
#define FAR __attribute__((noinline, noclone))
volatile int sink;
FAR void touch(volatile int *p) { sink += *p; }
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the script printed, whether it was content, and the frames as the compiler states them."""

    accepted: bool
    text: str
    frames: dict[str, int]

    def path(self, *functions: str) -> str:
        """Return the need of a path of calls as the script should print it."""
        frames = " + ".join(f"{name} {self.frames[name]}" for name in functions)
        return f"{sum(self.frames[name] for name in functions)} of 1024 bytes: {frames}\n"


def array(name: str, ints: int, then: str = "") -> str:
    """Return a function with an array on its stack."""
    return f"FAR void {name}(void) {{ volatile int a[{ints}]; a[0] = sink; {then} touch(a); }}\n"


def disassembly(folder: Path, source: str, *flags: str) -> str:
    """Return what objdump prints of a program with a function root."""
    (folder / "program.c").write_text(f"{HEAD}{source}\nvoid _start(void) {{ root(); }}\n")
    gcc = tool(GCC, "gcc-riscv64-unknown-elf")
    machine = ["-march=rv32imc", "-mabi=ilp32", "-ffreestanding", "-nostdlib", "-nostartfiles"]
    for output in (["-c", "-o", folder / "program.o"], ["-lgcc", "-o", folder / "program.elf"]):
        run_quietly([gcc, *machine, "-O2", "-fstack-usage", *flags, folder / "program.c", *output])
    objdump = gcc.removesuffix("gcc") + "objdump"
    command = [objdump, "-d", str(folder / "program.elf")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def ask(folder: Path, source: str, stacks: str = "root:1024", *flags: str, **settings: str) -> Answer:
    """Ask what the functions of a program in C need."""
    accepted, text = asked(disassembly(folder, source, *flags), stacks, **settings)
    lines = (folder / "program.su").read_text().splitlines()
    frames = {place.rsplit(":", 1)[1]: int(size) for place, size, _ in (line.split("\t") for line in lines)}
    return Answer(accepted, text, frames)


def asked(text: str, stacks: str, **settings: str) -> tuple[bool, str]:
    """Return whether the script accepts a disassembly, and what it prints."""
    assignments = [f"-v{name}={value}" for name, value in {"stacks": stacks, **settings}.items()]
    command = ["awk", *assignments, "-f", str(RUNTIME / "stacks" / "stack_need.awk")]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.stderr == "" and done.returncode in (0, 1)
    return done.returncode == 0, done.stdout


def test_the_deepest_path(tmp_path: Path) -> None:
    source = array("low", 96) + array("high", 60) + array("shallow", 20)
    source += array("root", 4, "low(); if (sink) shallow(); else high();")
    answer = ask(tmp_path, source)
    assert (answer.accepted, answer.text) == (True, f"stack: at most {answer.path('root', 'low')}")
    assert 384 < answer.frames["low"] < answer.frames["root"] + answer.frames["low"] < 512


def test_more_than_there_is(tmp_path: Path) -> None:
    source = array("low", 300) + array("root", 4, "low();")
    answer = ask(tmp_path, source)
    need = answer.frames["root"] + answer.frames["low"]
    path = answer.path("root", "low").partition(": ")[2]
    assert not answer.accepted
    assert answer.text == f"error: a stack of 1024 bytes: found a need of {need} bytes, allowed 1024: {path}"
    assert asked(disassembly(tmp_path, source), f"root:{need}")[0]


@pytest.mark.parametrize("ints", [500, 600, 5000, 100000])
def test_frames_beyond_an_immediate(tmp_path: Path, ints: int) -> None:
    answer = ask(tmp_path, array("root", ints), "root:1000000")
    assert answer.accepted and f"bytes: root {answer.frames['root']}\n" in answer.text


def test_a_call_in_place_of_a_return_gives_its_frame_back(tmp_path: Path) -> None:
    body = "volatile int a[40]; a[sink] = 1; sink = a[0]; low();"
    answer = ask(tmp_path, array("low", 96) + f"FAR void root(void) {{ {body} }}\n")
    low = answer.frames["low"]
    assert answer.frames["root"] > 0
    assert answer.text == f"stack: at most {low} of 1024 bytes: root 0 + low {low}\n"


def test_a_frame_that_one_branch_alone_has(tmp_path: Path) -> None:
    body = "if (!sink) return; volatile int a[40]; touch(a); low(); touch(a);"
    answer = ask(tmp_path, array("low", 96) + f"FAR void root(void) {{ {body} }}\n")
    assert (answer.accepted, answer.text) == (True, f"stack: at most {answer.path('root', 'low')}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (array("root", 4, "if (sink) root();"), "root calls itself, directly or through others"),
        (
            "void root(void);\n" + array("other", 4, "if (sink) root();") + array("root", 4, "other();"),
            "root calls itself, directly or through others",
        ),
        (
            "void (*volatile f)(void);\n" + array("root", 4, "f();"),
            "root has a call through a pointer",
        ),
        (
            "void (*volatile f)(void);\nFAR void root(void) { f(); }\n",
            "root has a jump through a pointer",
        ),
        (
            "FAR void root(void) { volatile int a[sink]; touch(a); }\n",
            "root sets the stack pointer by add",
        ),
        (
            "FAR void root(void) { int a; __asm__ volatile("
            '"sw sp, 0(%0)\\njal touch\\nlw sp, 0(%0)" :: "r"(&a) : "ra", "memory"); }\n',
            "root calls while the stack pointer is in use as another register",
        ),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, source: str, message: str) -> None:
    answer = ask(tmp_path, source)
    assert not answer.accepted
    assert f"error: {message}: its need of stack is not known\n" in answer.text


def test_what_a_pointer_reaches_can_be_said(tmp_path: Path) -> None:
    source = array("low", 96) + "void (*volatile f)(void) = low;\n" + array("root", 4, "f();")
    answer = ask(tmp_path, source, pointers="root=low root=absent?")
    assert (answer.accepted, answer.text) == (True, f"stack: at most {answer.path('root', 'low')}")
    accepted, text = asked(disassembly(tmp_path, source), "root:1024", pointers="root=absent")
    assert not accepted and text.startswith("error: found no function absent in the program\n")


def test_the_stack_pointer_as_one_more_register(tmp_path: Path) -> None:
    text = "sw sp, 8(%0)\\nli sp, 0\\naddi sp, sp, -1000\\nlw sp, 8(%0)"
    asm = f'__asm__ volatile("{text}" :: "r"(&a) : "memory");'
    answer = ask(tmp_path, f"FAR void root(void) {{ int a[4]; {asm} }}\n")
    assert (answer.accepted, answer.text) == (True, f"stack: at most {answer.path('root')}")


def test_a_pointer_of_the_sdk_is_noted_and_one_of_ours_is_not_excused(tmp_path: Path) -> None:
    source = "void (*volatile f)(void);\n" + array("helper", 30, "f();") + array("pi_read", 4, "helper();")
    answer = ask(tmp_path, source + array("root", 4, "pi_read();"), vendor="^pi_")
    note = "note: helper has a call through a pointer, which is not counted\n"
    assert answer.accepted
    assert answer.text == f"{note}stack: at most {answer.path('root', 'pi_read', 'helper')}"
    answer = ask(tmp_path, source + array("root", 4, "pi_read(); helper();"), vendor="^pi_")
    assert not answer.accepted and "error: helper has a call through a pointer" in answer.text


# As binutils 2.28 of the GAP9 SDK prints it, with instructions of XpulpV2: the branch jumps over the frame.
SDK_TEXT = """
1c008000 <low>:
1c008000:\t715d                \taddi\tsp,sp,-80
1c008002:\t6161                \taddi\tsp,sp,80
1c008004:\t8082                \tret

1c008006 <root>:
1c008006:\t0005a863          \tp.beqimm\ta1,0,1c008016 <root+0x10>
1c00800a:\t1101                \taddi\tsp,sp,-32
1c00800c:\tff5ff0ef          \tjal\tra,1c008000 <low>
1c008010:\t0145407b          \tlp.setup\tx0,a0,1c008012 <root+0xc>
1c008012:\t6105                \taddi\tsp,sp,32
1c008014:\t8082                \tret
1c008016:\tfebff06f          \tj\t1c008000 <low>
"""


def test_the_text_of_the_sdks_objdump() -> None:
    assert asked(SDK_TEXT, "root:1024") == (True, "stack: at most 112 of 1024 bytes: root 32 + low 80\n")


def test_functions_that_may_be_missing(tmp_path: Path) -> None:
    text = disassembly(tmp_path, array("root", 4))
    assert asked(text, "absent?:1024 root:1024")[0]
    assert asked(text, "absent:1024") == (False, "error: found no function absent in the program\n")
    assert asked("", "root:1024") == (
        False,
        "error: found no disassembly of a program, allowed the output of objdump -d\n",
    )
