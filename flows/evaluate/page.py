"""The report of an evaluation: one self-contained page, and a short markdown artifact.

Made from the results alone (their form: flows/evaluate/tables.py).
"""

from __future__ import annotations

import math

from flows.evaluate.tables import cell, policy_name, results_rows, shown_metrics
from flows.report.charts import Labels, Point, Series, bar_chart, line_chart
from flows.report.page import Page, picture, plain, render_page
from flows.report.paired import BINS, TESTED, bins, changed, tested
from flows.report.part import GREY, Part, charts, tile
from flows.report.values import as_interval, between, flat, number, percent, point, points, scrub
from tasks.rows import Json


def render(results: Json) -> str:
    """The HTML page of an evaluation."""
    shown: Json = scrub(results)
    several = [one for one in shown["benchmarks"] if len(_sizes(one)) > 1]
    rows = [[_accuracy(shown)], [_all_results(shown)]]
    rows += [
        [_pass_at_k(shown, one) for one in several[i : i + 2]] for i in range(0, len(several), 2)
    ]
    if shown["against"]:
        rows += [[_comparison(shown)], [_bins(shown)]]
    rows += [[_subjects(shown)], [_endings(shown)]]
    rows += [[_changes(shown, one)] for one in shown["benchmarks"] if one["comparison"]]
    rows.append([_configuration(shown)])
    title, lead = _headline(shown)
    level = f"{100 * shown['config']['measure']['confidence']:g}%"
    return render_page(
        Page(
            title=f"{shown['name']}: {title}",
            facts=[f"run {shown['run']}", *(f"policy {p['label']}" for p in shown["policies"])],
            headline=title,
            lead=lead,
            tiles=_tiles(shown),
            warnings=shown["warnings"],
            rows=[row for row in rows if row],
            footer=f"Intervals are {level} bootstrap intervals over problems: they say how far the "
            "numbers would move with other problems of the same kind, not with another seed.",
        )
    )


def markdown(results: Json) -> str:
    """A line, a table, a picture, warnings."""
    shown: Json = scrub(results)
    title, lead = _headline(shown)
    titles, rows = results_rows(shown)
    lines = [f"# {plain(title)}", "", f"Run `{plain(shown['run'])}`.", *map(plain, lead), ""]
    lines += [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines += [f"| {' | '.join(plain(value) for value in row)} |" for row in rows]
    if chart := picture(_accuracy_chart(shown, standalone=True), "Accuracy by benchmark"):
        lines += ["", chart]
    if shown["warnings"]:
        lines += ["", "**Warnings**", "", *(f"- {plain(text)}" for text in shown["warnings"])]
    return "\n".join(lines) + "\n"


def _headline(results: Json) -> tuple[str, list[str]]:
    names = [one["name"] for one in results["benchmarks"]]
    where = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    if not results["against"]:
        return f"{results['model']} on {where}", []
    better, worse, unclear = [], [], []
    for one in results["benchmarks"]:
        m = as_interval(((one["comparison"] or {}).get("metrics") or {}).get("greedy"))
        if m:
            kind = better if m.low > 0 else worse if m.high < 0 else unclear
            kind.append(f"{one['name']} ({points(m.value, '')} {between(m, False)})")
    title = f"{results['model']} against {results['against']}"
    said = [("Better", better), ("Worse", worse), ("Not told apart", unclear)]
    return title, [f"{word}, greedy: {'; '.join(items)}." for word, items in said if items]


def _tiles(results: Json) -> list[Json]:
    tiles = []
    for one in results["benchmarks"]:
        last = one["policies"][-1]
        if m := as_interval(last["metrics"].get("greedy")):
            compared = ((one["comparison"] or {}).get("metrics") or {}).get("greedy")
            d = as_interval(compared)
            tone = "" if not d else "up" if d.low > 0 else "down" if d.high < 0 else ""
            tiles.append(tile(percent(m.value), f"{one['name']}, greedy {between(m)}", tone))
    return tiles


def _colour(results: Json, policy: int) -> int:
    """Grey is what is compared with."""
    return GREY if results["against"] and policy == 0 else 0


def _accuracy_chart(results: Json, *, standalone: bool = False) -> str:
    names = [one["name"] for one in results["benchmarks"]]
    series = []
    for policy in results["policies"]:
        found = []
        for place, one in enumerate(results["benchmarks"]):
            of = next((p for p in one["policies"] if p["number"] == policy["number"]), None)
            m = as_interval(of["metrics"].get("greedy")) if of else None
            if m:
                tip = f"{policy['label']}, {names[place]}: {percent(m.value)} {between(m)}"
                found.append(Point(place, m.value, tip, m.low, m.high))
        series.append(Series(policy["label"], _colour(results, policy["number"]), found))
    labels = Labels(
        "Greedy accuracy by benchmark",
        "Share of problems solved by greedy decoding, by benchmark and policy.",
        "benchmark",
        "problems solved",
        [(float(place), name) for place, name in enumerate(names)],
    )
    return bar_chart(series, labels, standalone=standalone)


def _accuracy(results: Json) -> Part:
    return Part("Greedy accuracy by benchmark", "", charts(_accuracy_chart(results))).or_nothing()


def _all_results(results: Json) -> Part:
    keys = shown_metrics(results)
    everything = {k for one in results["benchmarks"] for p in one["policies"] for k in p["metrics"]}
    titles, rows = results_rows(results)
    rest = sorted(everything - set(keys), key=_rank)
    titles = [*titles, *rest, "mean tokens", "cut at the limit"]
    for row in rows:
        row += ["–"] * (len(titles) - len(row))
    place = 0
    for one in results["benchmarks"]:
        for policy in one["policies"]:
            cells = [cell(policy["metrics"].get(key)) for key in rest]
            tokens, cut = policy.get("mean_tokens"), policy.get("truncated")
            cells += [f"{tokens:.1f}" if tokens else "–", "–" if cut is None else percent(cut)]
            rows[place][-len(cells) :] = cells
            place += 1
        place += len((one.get("hand") or {}).get("points") or {}) + bool(one["comparison"])
    note = "A difference is between the two policies on the same problems, in percentage points."
    return Part("All results", note, table={"head": titles, "rows": rows}, kind="long")


def _rank(key: str) -> tuple[str, int]:
    kind, _, size = key.partition("@")
    return kind, int(size) if size.isdecimal() else 0


def _sizes(benchmark: Json) -> list[int]:
    found = {key for policy in benchmark["policies"] for key in policy["metrics"]}
    return sorted(int(key[5:]) for key in found if key.startswith("pass@"))


def _pass_at_k(results: Json, benchmark: Json) -> Part:
    series = []
    for policy in benchmark["policies"]:
        label = policy_name(results, policy["number"])
        found = [
            point(math.log2(k), m, f"{label}, pass@{k}")
            for k in _sizes(benchmark)
            if (m := as_interval(policy["metrics"].get(f"pass@{k}")))
        ]
        grey = results["against"] and policy["number"] == 0
        colour = _colour(results, policy["number"])
        series.append(Series(label, colour, found, dashed=bool(grey)))
    labels = Labels(
        f"pass at k on {benchmark['name']}",
        "Chance that at least one of k samples is right, by policy.",
        "k, samples a problem (log scale)",
        "pass@k",
        [(math.log2(k), str(k)) for k in _sizes(benchmark)],
    )
    note = "Chance that one of k samples is right (unbiased estimate)."
    title = f"pass@k on {benchmark['name']}"
    return Part(title, note, charts(line_chart(series, labels))).or_nothing()


def _comparison(results: Json) -> Part:
    rows = []
    for one in results["benchmarks"]:
        if found := one["comparison"]:
            rows.append([one["name"], *tested(found)])
    head = ["", *TESTED]
    note = (
        "Paired bootstrap over the same problems; p of McNemar's exact test of newly solved "
        "against newly lost, and with Holm's correction for the number of benchmarks."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("Against the other policy", note, table=table, kind="long").or_nothing()


def _bins(results: Json) -> Part:
    rows = []
    for one in results["benchmarks"]:
        rows += [[one["name"], *cells] for cells in bins(one["comparison"] or {})]
    head = ["", *BINS]
    note = (
        "Problems by how many of its samples the policy compared with gets right (figure 8 of the "
        "paper); before and after are greedy, which the bins were not made from."
    )
    table = {"head": head, "rows": rows} if rows else None
    return Part("By difficulty for the base", note, table=table, kind="long").or_nothing()


def _subjects(results: Json) -> Part:
    rows = []
    for one in results["benchmarks"]:
        kinds = sorted({s for p in one["policies"] for s in p.get("subjects") or {}})
        for kind in kinds if len(kinds) > 1 else ():
            cells = [cell((p.get("subjects") or {}).get(kind)) for p in one["policies"]]
            rows.append([f"{one['name']}: {kind.replace('_', ' ')}", *cells])
    head = ["", *(policy["label"] for policy in results["policies"])]
    table = {"head": head, "rows": rows} if rows else None
    return Part(
        "By subject or task", "Greedy.", table=table, kind="long", folded="Show the table"
    ).or_nothing()


def _endings(results: Json) -> Part:
    columns = [
        (f"{one['name']}, {policy_name(results, p['number'])}", p.get("statuses") or {})
        for one in results["benchmarks"]
        for p in one["policies"]
        if p.get("statuses")
    ]
    found = sorted({s for _, counts in columns for s in counts}, key=lambda s: (s != "correct", s))
    rows = [
        [title, *(f"{number(counts.get(status)):,.0f}" for status in found)]
        for title, counts in columns
    ]
    note = "Greedy solutions. A checker or sandbox error says nothing about the solution."
    head = ["", *(status.replace("_", " ") for status in found)]
    table = {"head": head, "rows": rows} if rows else None
    return Part("How solutions ended", note, table=table, kind="long").or_nothing()


def _changes(results: Json, benchmark: Json) -> Part:
    found = benchmark["comparison"]
    names = [policy_name(results, policy["number"]) for policy in benchmark["policies"]]
    groups = changed(found, names[0], names[-1])
    note = "Against the other policy, greedy. Open one to read both solutions."
    title = f"Newly solved and newly lost on {benchmark['name']}"
    return Part(title, note, groups=groups, kind="long")


def _configuration(results: Json) -> Part:
    rows = [[key, value] for key, value in flat(results["config"])]
    return Part(
        "Configuration",
        table={"head": ["field", "value"], "rows": rows},
        kind="long",
        folded="Show all fields",
    )
