"""The page as one file: its template, style, scripts and data put together, and what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import statistics
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ae.words import counted
from sweeps.config.description import describe
from sweeps.config.words import duration, hyperparameter, over_seeds, spread
from sweeps.records.result import SweepResult, command_line

WEB = Path(__file__).parent / "web"
LIBRARY = Path(__file__).parent / "vendor" / "echarts.js"
SCRIPTS = (
    *("words.js", "state.js", "colours.js", "trials.js", "chart.js", "answer.js", "lines.js", "curves.js", "table.js"),
    *("details.js", "scatter.js", "parallel.js", "spent.js", "timeline.js", "retraining.js"),
    *("pictures.js", "figures.js", "made.js", "compare.js", "live.js", "main.js"),
)
"""The page's own scripts, each an ES module of `web/`; one that is used comes before its users."""
STATIC_TRIALS = 100
"""Trials in the table for readers without JavaScript."""


def html(data: Mapping[str, Any], static: str) -> str:
    """The page.

    Args:
        data: as `page_data.page_data` gives it.
        static: HTML for readers without JavaScript.
    """
    library, script = LIBRARY.read_text(encoding="utf-8"), bundle()
    connect = "'self'" if data["live"] else "'none'"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(library)} {_hash(script)}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    first = data["sweeps"][0]
    title = " and ".join(dict.fromkeys(f"{one['task']}/{one['name']}" for one in data["sweeps"][:3]))
    return (
        _environment()
        .get_template("page.html")
        .render(
            policy=policy,
            title=title,
            first=first,
            style=(WEB / "page.css").read_text(encoding="utf-8"),
            library=library,
            script=script,
            data=embedded(data),
            static=static,
        )
    )


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: no tag can begin in it."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def bundle() -> str:
    """The page's scripts as one: each module a function that gives what it exports, so that one file is enough."""
    return '"use strict";\n(() => {\n' + "\n".join(map(_module, SCRIPTS)) + "\n})();\n"


def _module(name: str) -> str:
    text = (WEB / name).read_text(encoding="utf-8")
    text = re.sub(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', r"const {\1} = module_\2;", text, flags=re.MULTILINE)
    exported = re.findall(r"^export (?:async )?(?:const|function) (\w+)", text, flags=re.MULTILINE)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return f"const module_{name.removesuffix('.js')} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();"


def static_parts(result: SweepResult, notices: Sequence[str], remark: str) -> str:
    """The notices, the answer, the retrainings and the best trials as plain HTML, for readers without JavaScript."""
    plan, metric, summary = result.plan, result.search.objective.metric, result.summary()
    return (
        _environment()
        .get_template("static.html")
        .render(
            summary=summary,
            plan=plan,
            result=result,
            notices=notices,
            remark=remark,
            metric=metric,
            columns=_columns(summary, metric),
            records=result.search.listed()[:STATIC_TRIALS],
            commands=[command_line(command) for command in plan.commands],
            description=describe(plan),
        )
    )


def compared_parts(labels: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """A table of some sweeps as plain HTML, for readers without JavaScript."""
    return _environment().get_template("compared.html").render(labels=labels, rows=rows)


def in_search(best: dict[str, Any], metric: str) -> str:
    """The objective of the best configuration in the search, with its deviation where there are several seeds."""
    per_seed = best.get("per_seed")
    return spread({"mean": best["val"][metric], "std": statistics.stdev(per_seed) if per_seed else None})


def _columns(summary: dict[str, Any], objective: str) -> list[tuple[str, str]]:
    """Split and metric of each column about the retrainings: the objective first, what only the test has last."""
    if not summary["retrained"]:
        return []
    both = sorted(summary["retrained"][0]["val"], key=lambda name: name != objective)
    test_only = [("test", name) for name in summary["test"] or {} if name not in both]
    return [(split, name) for name in both for split in ("validation", "test")] + test_only


@cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        word.__name__: word for word in (hyperparameter, duration, spread, counted, over_seeds, in_search)
    }
    return environment


def _hash(script: str) -> str:
    """How a content security policy names a script that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
