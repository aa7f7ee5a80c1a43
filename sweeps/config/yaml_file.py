"""YAML files that a user writes: each key with its line, and errors of one line that name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ae.errors import UserError
from sweeps.config.words import one_line

NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What stands under one key."""

    file: str
    line: int
    node: yaml.Node

    @property
    def where(self) -> str:
        """The file and the line, for errors."""
        return f"{self.file}, line {self.line}"

    @property
    def is_null(self) -> bool:
        """Whether there is no value."""
        return self.node.tag == NULL

    @property
    def text(self) -> str | None:
        """A scalar as it is written, so that "no" is no boolean and 1e-3 no text; None for what is no scalar."""
        return str(self.node.value) if isinstance(self.node, yaml.ScalarNode) else None

    @property
    def items(self) -> list[Entry] | None:
        """The entries of a list; None if it is none."""
        nodes = self.node.value if isinstance(self.node, yaml.SequenceNode) else None
        return None if nodes is None else [replace(self, node=node) for node in nodes]

    def mapping(self) -> YamlMapping | None:
        """The mapping; None if it is none.

        Raises:
            UserError: if it has a key twice.
        """
        return _mapping(self.node, self.file) if isinstance(self.node, yaml.MappingNode) else None

    def value(self) -> Any:
        """The value as YAML 1.1 understands it.

        Raises:
            UserError: if it is damaged.
        """
        try:
            return _Loader("").construct_document(self.node)
        except Exception as error:  # a dozen kinds, such as KeyError for '!!bool x'; each means the same
            raise UserError(f"{self.where}: cannot be read as YAML: {_reason(error)}") from None


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """Keys and what stands under them."""

    file: str
    entries: Mapping[str, Entry]


def read(path: Path, option: str, example: str) -> YamlMapping:
    """A file that is a mapping.

    Args:
        path: of the file.
        option: with which the user names the file.
        example: a line that the file could have.

    Raises:
        UserError: the file, the line where there is one, and what is wrong.
    """
    try:
        loader = _Loader(path.read_bytes())
        node = loader.get_single_node()
    except OSError as error:
        raise UserError(f"{option} {path}: cannot be read: {error.strerror}") from None
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: cannot be read as YAML: {_reason(error)}") from None
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise UserError(f"{option} {path}: must have lines such as '{example}'")
    return _mapping(node, str(path))


def _mapping(node: yaml.MappingNode, file: str) -> YamlMapping:
    if repeated := _repeated(node):
        raise UserError(f"{file}, line {repeated[0]}: {repeated[1]}")
    try:
        _Loader("").flatten_mapping(node)
    except yaml.YAMLError as error:
        raise UserError(f"{file}, line {node.start_mark.line + 1}: cannot be read as YAML: {_reason(error)}") from None
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "a key that is no word"
        entries[name] = Entry(file=file, line=key.start_mark.line + 1, node=value)
    return YamlMapping(file, entries)


def _repeated(node: yaml.MappingNode) -> tuple[int, str] | None:
    """A line that has a key again, and what is wrong with it."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            first = lines.setdefault(key.value, line)
            if first != line:
                return line, f"{key.value} is there twice, in lines {first} and {line}; leave one"
    return None


def _reason(error: Exception) -> str:
    return one_line(getattr(error, "problem", None) or error) or type(error).__name__


class _Loader(yaml.SafeLoader):
    """YAML of plain values that refuses a repeated key; PyYAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if repeated := _repeated(node):
            raise yaml.YAMLError(repeated[1])
        return super().construct_mapping(node, deep)
