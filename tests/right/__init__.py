"""Right edits: what an engineer writes in the first month. Each must compile, and be judged right, with no other edit.

They are the recipes of docs/recipes.md, the app that the README adds, and the YAML files of this folder.
"""

import ast
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from synth import ROOT
from synth.encrypted import EncryptedFile
from tests import encrypted
from tests.ground import APPS_FILE, registered
from tests.workshop import Workshop

FOLDER = Path(__file__).parent
PAGE = ROOT / "docs/recipes.md"
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (?P<path>\S+/\S+|images\.yaml)\n")
ENCRYPTED = re.compile(r'EncryptedSecret\(self, "([^"]+)", (\[[^]]*\])')
BODY = " " * 8


@dataclass(frozen=True)
class Replaced:
    """In a file, one text becomes another."""

    file: str
    old: str
    new: str

    def files(self, workshop: Workshop) -> list[Path]:
        return [workshop.root / self.file]

    def apply(self, workshop: Workshop) -> None:
        workshop.edit(self.file, self.old, self.new)


@dataclass(frozen=True)
class Written:
    """A file that was not there."""

    file: str
    text: str

    def files(self, workshop: Workshop) -> list[Path]:
        return [workshop.root / self.file]

    def apply(self, workshop: Workshop) -> None:
        (workshop.root / self.file).write_text(self.text, "utf-8")


@dataclass(frozen=True)
class Registered:
    """One more app in the list of apps."""

    module: str
    name: str
    file: str = APPS_FILE

    def files(self, workshop: Workshop) -> list[Path]:
        return [workshop.root / self.file]

    def apply(self, workshop: Workshop) -> None:
        path = workshop.root / self.file
        path.write_text(registered(path.read_text("utf-8"), self.module, self.name), "utf-8")


@dataclass(frozen=True)
class Copied:
    """A file that was not there, as another one is."""

    file: str
    source: str

    def files(self, workshop: Workshop) -> list[Path]:
        return [workshop.root / self.file]

    def apply(self, workshop: Workshop) -> None:
        target = workshop.root / self.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workshop.root / self.source, target)


@dataclass(frozen=True)
class Removed:
    """A file that was there."""

    file: str

    def files(self, workshop: Workshop) -> list[Path]:
        return [workshop.root / self.file]

    def apply(self, workshop: Workshop) -> None:
        (workshop.root / self.file).unlink()


@dataclass(frozen=True)
class Encrypted:
    """The file of an encrypted Secret, for each environment that has recipients: those of one that is there."""

    app: str
    name: str
    keys: Sequence[str]

    def files(self, workshop: Workshop) -> list[Path]:
        return list(self._recipients(workshop))

    def apply(self, workshop: Workshop) -> None:
        labels = {"app.kubernetes.io/name": self.app}
        for path, recipients in self._recipients(workshop).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            environment = path.relative_to(workshop.root / "deploy").parts[0]
            file = EncryptedFile(self.app, self.name, self.keys, recipients, environment, labels=labels)
            path.write_text(encrypted.text(file), "utf-8")

    def _recipients(self, workshop: Workshop) -> dict[Path, list[str]]:
        found = {}
        for there in sorted((workshop.root / "deploy").glob("*/apps/*/secret-*.yaml")):
            encryption = yaml.safe_load(there.read_text("utf-8"))["sops"]
            path = there.parents[1] / self.app / f"secret-{self.name}.yaml"
            found[path] = [entry["recipient"] for entry in encryption["age"]]
        return found


Step = Replaced | Written | Registered | Copied | Removed | Encrypted


@dataclass(frozen=True)
class RightEdit:
    """What is done to one or several files; `app` is the one that comes by it, if one does."""

    name: str
    steps: Sequence[Step]
    app: str = ""

    def make(self, workshop: Workshop) -> None:
        for step in self.steps:
            step.apply(workshop)

    def as_one_of_many(self) -> "RightEdit":
        """The same for a house whose list of apps is no longer as the edit's diff expects it."""
        written = [step for step in self.steps if isinstance(step, Written)]
        return RightEdit(self.name, [*written, Registered("blog", "Blog")], self.app)

    @contextmanager
    def made(self, workshop: Workshop) -> Iterator[None]:
        files = {file for step in self.steps for file in step.files(workshop)}
        before = {file: file.read_bytes() if file.exists() else None for file in files}
        deploy = workshop.root / "deploy"
        trees = {path.name for path in deploy.iterdir()}
        try:
            self.make(workshop)
            yield
        finally:
            for file, content in before.items():
                if content is None:
                    file.unlink(missing_ok=True)
                else:
                    file.write_bytes(content)
            for path in [path for path in deploy.iterdir() if path.is_dir()]:
                if path.name not in trees:
                    shutil.rmtree(path)


def sections() -> dict[str, list[re.Match[str]]]:
    """The blocks of the page by their headings; before the first one is the module that the recipes are for."""
    title, *parts = re.split(r"^##+ (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    texts = {"": title, **dict(zip(parts[::2], parts[1::2], strict=True))}
    found = {name: list(BLOCK.finditer(text)) for name, text in texts.items()}
    return {name: blocks for name, blocks in found.items() if blocks}


def recipes(renamed: Callable[[int], str] = lambda _: "blog") -> list[RightEdit]:
    """Every recipe of the page, as the module of an app; `renamed` gives the app of each another name."""
    (_, (frame, *_)), *named = sections().items()
    found = []
    for number, (title, blocks) in enumerate(named):
        app = renamed(number)
        steps = [step for block in blocks for step in _steps(block, frame["text"])]
        steps.append(Registered("blog", "Blog"))
        found.append(RightEdit(title, [_renamed(step, app) for step in steps], app))
    return found


def readmes_app() -> RightEdit:
    """The app that the README adds: its module, and the lines of its diff."""
    section = README.read_text("utf-8").partition("\n## Add an app\n")[2].partition("\n## ")[0]
    (module,) = [block["text"] for block in BLOCK.finditer(section) if block["language"] == "python"]
    (diff,) = [block["text"] for block in BLOCK.finditer(section) if block["language"] == "diff"]
    path = re.findall(r"`(charts/apps/\w+\.py)`", section)[0]
    return RightEdit("the README's app", [Written(path, module), *_hunks(APPS_FILE, diff)], "blog")


def written_down() -> list[RightEdit]:
    """Those of the YAML files of this folder."""
    entries = [
        entry
        for path in sorted(FOLDER.glob("*.yaml"))
        for entry in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    ]
    found = []
    for entry in entries:
        steps: list[Step] = [Replaced(**edit) for edit in entry["edits"]]
        steps += [Copied(**copy) for copy in entry.get("copies", ())]
        steps += [Removed(file) for file in entry.get("removes", ())]
        if app := entry.get("app", ""):
            steps.insert(0, Registered(app, app.capitalize()))
        found.append(RightEdit(entry["name"], steps, app))
    return found


def _steps(block: re.Match[str], frame: str) -> Iterator[Step]:
    text = block["text"]
    if block["language"] == "python":
        yield Written("charts/apps/blog.py", module(text, frame))
        for name, keys in ENCRYPTED.findall(text):
            yield Encrypted("blog", name, ast.literal_eval(keys))
        return
    match = FILE.match(text)
    assert match, f"no file is named in the first line of {text!r}"
    rest = text[match.end() :]
    if block["language"] == "diff":
        yield from _hunks(match["path"], rest)
    else:
        yield Written(match["path"], rest)


def module(recipe: str, frame: str) -> str:
    """The page's module with a recipe in place of what stands below the first line of its `__init__`."""
    from charts import shapes

    head, first, _ = re.split(r"^( +super\(\).*\n)", frame, maxsplit=1, flags=re.MULTILINE)
    imports, body = _apart(recipe)
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    names = sorted({*used.intersection(shapes.__all__), "App"})
    head = re.sub(
        r"^from charts\.shapes import .*$", f"from charts.shapes import {', '.join(names)}", head, flags=re.MULTILINE
    )
    head = head.replace("from constructs", f"{imports}from constructs", 1)
    return head + first + "".join(f"{BODY}{line}" if line.strip() else line for line in body.splitlines(keepends=True))


def _apart(recipe: str) -> tuple[str, str]:
    """The imports at a recipe's start, and the rest."""
    nodes = ast.parse(recipe).body
    last = max([node.end_lineno or 0 for node in nodes if isinstance(node, ast.ImportFrom)], default=0)
    lines = recipe.splitlines(keepends=True)
    return "".join(lines[:last]), "".join(lines[last:]).lstrip("\n")


def _hunks(path: str, diff: str) -> Iterator[Replaced]:
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        yield Replaced(path, old, "".join(line[1:] for line in lines if line[0] in " +"))


def _renamed(step: Step, app: str) -> Step:
    """A step for an app of another name; what other apps ask of it keeps being asked of it."""
    name, title = app.replace("-", "_"), app.title().replace("-", "")

    def of(text: str) -> str:
        return re.sub(r"\bblog\b", app, text).replace("Blog", title)

    if isinstance(step, Registered):
        return Registered(name, title)
    if isinstance(step, Encrypted):
        return Encrypted(app, of(step.name), step.keys)
    if isinstance(step, Copied | Removed):
        return step
    file = step.file.replace("apps/blog", f"apps/{name}")
    if isinstance(step, Written):
        return Written(
            file,
            of(step.text)
            .replace(f'"{app}.ini"', '"blog.ini"')
            .replace('with_name("blog.ini")', f'with_name("{name}.ini")'),
        )
    return Replaced(file, of(step.old), of(step.new))
