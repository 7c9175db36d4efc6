"""What the invented person asked for, and what came of it: acts in order, of no agent's format."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from random import Random

from msgspec import Struct


class Act(Struct):
    """One tool call. `kind` is read, search, edit, shell or task; `target` a file or a command.

    Of an edit `before` and `after` are the lines that it changes.
    """

    kind: str
    target: str
    output: str
    passed: bool = True
    seconds: float = 0.2
    before: str = ""
    after: str = ""


class Turn(Struct):
    """What a person wrote, what the agent thought, did and answered."""

    prompt: str
    thinking: str
    acts: list[Act]
    answer: str


class Project(Struct):
    """A folder that the person works in: its files, how it is tested, how a test fails there."""

    name: str
    files: tuple[str, ...]
    check: str
    failure: str
    passes: str
    stories: tuple[tuple[str, str], ...]


PROJECTS = (
    Project(
        "shop",
        (
            "src/cart/totals.ts",
            "src/cart/coupons.ts",
            "src/checkout/steps.tsx",
            "src/api/orders.ts",
            "tests/totals.test.ts",
        ),
        "npm test -- totals",
        " FAIL  tests/totals.test.ts\n  rounds a 15 % coupon to the cent\n"
        "    AssertionError: expected 17.84 to be 17.85\n\n"
        " Test Files  1 failed (1)\n      Tests  1 failed | 11 passed (12)",
        " Test Files  1 passed (1)\n      Tests  12 passed (12)",
        (
            ("Round coupons to the cent", "A 15 % coupon on 20.99 gives 17.84, it must be 17.85."),
            ("Remember the cart between visits", "People lose their cart when they come back."),
            ("Show why a card was declined", "The checkout only says that something went wrong."),
            ("Let guests check out", "Make it possible to order without an account."),
            ("Move orders to the new API", "The old orders endpoint goes away in January."),
            ("Make the product list fast on phones", "The list takes four seconds on my phone."),
            (
                "Add gift wrapping as an option",
                "We want gift wrapping before Christmas, 2.50 each.",
            ),
            ("Find the double order emails", "Some customers get the confirmation twice. Why?"),
            ("Explain the tax tables", "How do we decide which tax applies to an order?"),
            ("Test the checkout on keyboards", "Nobody can finish the checkout without a mouse."),
        ),
    ),
    Project(
        "tide-atlas",
        (
            "atlas/harmonics.py",
            "atlas/stations.py",
            "atlas/cli.py",
            "tests/test_harmonics.py",
            "docs/accuracy.md",
        ),
        "pytest -q tests/test_harmonics.py",
        "FAILED tests/test_harmonics.py::test_spring_tide - assert 4.118 == 4.131 ± 0.005\n"
        "1 failed, 46 passed in 3.12s",
        "47 passed in 3.08s",
        (
            (
                "Predict spring tides within a centimetre",
                "Spring tides are 13 mm too low. Find why.",
            ),
            ("Read the new station format", "The stations come as NetCDF from December on."),
            ("Cache harmonics by station", "Each request computes the same constants again."),
            ("Draw tides as SVG", "I want the curve of a day as one small SVG, no library."),
            ("Drop Python 3.10", "Remove what we only have for Python 3.10."),
            (
                "Write the accuracy page",
                "Write down how accurate we are, with figures per station.",
            ),
            ("Speed up a year of predictions", "A year takes 40 seconds. Aim for less than five."),
            ("Check the summer time bug", "Tides are an hour off on the last Sunday of March."),
        ),
    ),
    Project(
        "field-notes",
        (
            "app/editor.py",
            "app/sync.py",
            "app/search.py",
            "tests/test_sync.py",
            "README.md",
        ),
        "pytest -q",
        "FAILED tests/test_sync.py::test_two_devices - KeyError: 'revision'\n"
        "1 failed, 88 passed in 5.91s",
        "89 passed in 5.74s",
        (
            ("Merge notes from two devices", "Two phones edit one note offline. Keep both texts."),
            ("Search notes while typing", "Search should answer while I type, not after enter."),
            ("Export notes as Markdown", "One file for each note, pictures beside them."),
            (
                "Stop losing the last sentence",
                "The last sentence is gone when I close too quickly.",
            ),
            ("Encrypt the backup", "Backups must be encrypted with a passphrase."),
            ("Make tags nest", "Tags with slashes should nest, as in garden/roses."),
            ("Tidy up the README", "The README still talks about the prototype."),
        ),
    ),
    Project(
        "greenhouse",
        (
            "cmd/valve/main.go",
            "internal/schedule/plan.go",
            "internal/sensor/read.go",
            "internal/schedule/plan_test.go",
            "deploy/compose.yaml",
        ),
        "go test ./internal/schedule/...",
        "--- FAIL: TestFrost (0.00s)\n    plan_test.go:41: valve open at -2.0 C, want closed\n"
        "FAIL\nFAIL\tgreenhouse/internal/schedule\t0.412s",
        "ok  \tgreenhouse/internal/schedule\t0.398s",
        (
            ("Keep valves shut in frost", "The valve opened at minus two degrees last night."),
            ("Plan watering by soil moisture", "Water by the soil sensors, not by the clock."),
            ("Survive a lost sensor", "When a sensor is silent, go on with its neighbours."),
            ("Send one alarm, not forty", "I got forty messages about one dry bed."),
            ("Deploy with one command", "make deploy should build, copy and restart."),
            ("Log the water that was used", "Write the litres per bed and day to a CSV."),
        ),
    ),
)

LONG = (
    "Make every total add up to the cent",
    "The total on this receipt is one cent less than its lines. Find out why, and mend it.",
)
DELEGATED = Act("task", "Find all callers", "Three callers; two of them are tests.", seconds=1.0)
"""What an agent hands to a subagent."""


def again(story: tuple[str, str]) -> tuple[str, str]:
    """The same work, taken up another day."""
    title, _ = story
    asked = f"Look once more over what we did for {title[0].lower()}{title[1:]}: what is missing?"
    return f"Review: {title}", asked


_THOUGHTS = (
    (
        "The numbers differ by less than one unit, so this looks like rounding. Read where it is "
        "computed before I change anything."
    ),
    "There are two places that could do this. The tests name one of them; start there.",
    "Before changing behaviour, see what the tests already promise.",
    "The report does not say on which path it happens. Search for the callers first.",
)
_ANSWERS = (
    (
        "Done. The cause was in `{file}`: it worked on the value before the last step, so the "
        "result was off where that step mattered. I changed that, and the tests pass."
    ),
    "I changed `{file}` and added a test that failed before. All tests pass now.",
    (
        "It works now. The change is small and stays in `{file}`; nothing else depended on the old "
        "behaviour."
    ),
)
_CODE = {
    "ts": (
        (
            "export function total(lines: Line[], coupon?: Coupon): number {\n"
            "  const sum = lines.reduce((all, line) => all + line.price * line.count, 0);\n"
            "  return coupon ? sum - sum * coupon.share : sum;\n}"
        ),
        (
            "export function total(lines: Line[], coupon?: Coupon): number {\n"
            "  const cents = lines.reduce((all, one) => all + toCents(one.price) * one.count, 0);\n"
            "  return (coupon ? cents - Math.floor(cents * coupon.share) : cents) / 100;\n}"
        ),
    ),
    "py": (
        "def height(self, at):\n    return sum(c.at(at) for c in self.constituents)",
        (
            "def height(self, at):\n    factors = self.nodal.at(at)\n"
            "    return sum(factors[c.name] * c.at(at) for c in self.constituents)"
        ),
    ),
    "go": (
        "if soil < plan.dry {\n\treturn Open\n}",
        "if air <= plan.frost {\n\treturn Closed\n}\nif soil < plan.dry {\n\treturn Open\n}",
    ),
}


def turns(chance: Random, project: Project, story: tuple[str, str], size: int) -> Iterator[Turn]:
    """Tell a session of so many turns: look around, change, check, mend what fails, commit."""
    title, prompt = story
    for number in range(size):
        changed = chance.choice(project.files[:3])
        asked = prompt if number == 0 else chance.choice(_FOLLOW_UPS)
        acts = [*_look_around(chance, project, changed), *_change(chance, project, changed)]
        if number == size - 1 and chance.random() < 0.6:
            acts.append(Act("shell", "git add -A", "", seconds=0.1))
            message = f'git commit -m "{title}"'
            acts.append(Act("shell", message, f"[main 3f1c9ab] {title}", seconds=0.4))
        answer = chance.choice(_ANSWERS).format(file=changed)
        yield Turn(asked, chance.choice(_THOUGHTS), acts, answer)


_FOLLOW_UPS = (
    "Good. Now the same for the other caller.",
    "Please add a test for the case where the list is empty.",
    "Can you check that this also holds at the end of the month?",
    "Name it better, then commit.",
    "Run all tests once more, please.",
)


def _look_around(chance: Random, project: Project, changed: str) -> Iterator[Act]:
    yield Act("search", changed.rpartition("/")[2].partition(".")[0], _matches(project), True, 0.1)
    for file in chance.sample(project.files, chance.randint(1, 4)):
        missing = chance.random() < 0.04
        output = "File does not exist." if missing else listing(file)
        yield Act("read", file, output, not missing, 0.05)
    if chance.random() < 0.1:
        yield DELEGATED


def _change(chance: Random, project: Project, changed: str) -> Iterator[Act]:
    before, after = _code(changed)
    if chance.random() < 0.22:
        error = "String to replace not found in file."
        yield Act("edit", changed, error, False, 0.1, before.replace("return", "give"), after)
    yield Act("edit", changed, "", True, 0.1, before, after)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        yield Act("shell", project.check, project.failure, False, chance.uniform(3, 9))
        yield Act("read", project.files[3], listing(project.files[3]), True, 0.05)
        yield Act("edit", changed, "", True, 0.1, after, after.replace("  ", "   ", 1))
    yield Act("shell", project.check, project.passes, True, chance.uniform(3, 9))
    yield Act("shell", "git diff --stat", f" {changed} | 6 +++---", True, 0.1)
    if chance.random() < 0.2:
        yield Act("shell", "docker compose up -d", "Container web  Started", True, 6.0)


def _code(file: str) -> tuple[str, str]:
    return _CODE.get(file.rpartition(".")[2].replace("tsx", "ts"), _CODE["py"])


def listing(file: str) -> str:
    """A part of a file, as agents show it: with the numbers of its lines."""
    before, _ = _code(file)
    return "\n".join(f"{at:>6}\t{line}" for at, line in enumerate(before.splitlines(), 12))


def _matches(project: Project) -> str:
    return "\n".join(f"{file}:{at}" for at, file in enumerate(project.files[:3], 17))


def _picture() -> str:
    """A photograph that the person put into a prompt: a receipt, its words as bars of grey."""
    width, height = 320, 200
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        rows += bytes(_shade(x, y) for x in range(width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


def _shade(x: int, y: int) -> int:
    """How bright a point of the receipt is: lines with a word and a price, and their sum."""
    if not 60 <= x < 260:
        return 205  # the table that it lies on
    line, within = divmod(y - 20, 24)
    is_bar = 0 <= line < 7 and 6 <= within < 15
    word_ends = 80 + (50, 84, 62, 0, 71, 0, 46)[line] if is_bar else 0
    is_price = is_bar and 212 <= x < 242 and line != 3
    if line == 5 and within == 3 and 78 <= x < 242:
        return 120  # the rule above the sum
    if is_bar and line == 6 and is_price:
        return 40
    return 120 if is_price or 80 <= x < word_ends else 250


PICTURE = _picture()
"""A PNG, as base64."""
