// The table of trials: sorted, filtered, and drawn only where it is looked at.
import { section } from "./chart.js";
import { statusColour, statusMark } from "./colours.js";
import { emit, filter, hover, on, select, state } from "./state.js";
import { isMax, passes, ranked, sweep, valueOf } from "./trials.js";
import { columnFormat, counted, figure, h, menu, setting } from "./words.js";

const ROW = 33.6;
const AHEAD = 8;
const formats = new Map();
const shownRows = new Map();  // place in the table: element
const view = { sort: "rank", isUp: true, rows: [], focus: 0 };

const constant = () => sweep.columns.filter((name) => !sweep.varied.includes(name));
const columns = () => ["trial", "status", ...sweep.metrics.map((name) => `val ${name}`), "epochs", ...sweep.varied, "best epoch", "training, s", ...constant(), "why it ended"];
const isText = (column) => ["trial", "status", "why it ended"].includes(column);

export function table() {
  const [sheet, head, count] = [h("div.sheet", { role: "rowgroup" }), h("div.row.head", { role: "row" }), h("p.soft.small", { role: "status", style: "margin:.5rem 0 0" })];
  const box = h("div.table", { role: "grid", tabindex: "0", "aria-label": "Trials of the search", id: "trials-table", style: `height:${Math.ceil(ROW * (Math.min(12, sweep.now.search.requested) + 1) + 18)}px` }, sheet);
  sheet.append(head);
  const widths = new Map();
  const measure = () => {
    for (const name of sweep.metrics) formats.set(`val ${name}`, columnFormat(sweep.trials.map((trial) => valueOf(trial, `val ${name}`))));
    const some = [...ranked().slice(0, 60), ...sweep.trials.slice(-40)];
    for (const column of columns()) {
      const longest = Math.max(heading(column).length + 2, ...some.map((trial) => shown(trial, column).length + (column === "status" ? 3 : 0)));
      widths.set(column, column === "why it ended" ? 360 : Math.max(widths.get(column) ?? 0, Math.min(220, 26 + 8 * longest)));
    }
  };
  const draw = () => rows(box, sheet, widths);
  const refill = () => {
    measure();
    view.rows = sorted(sweep.trials.filter((trial) => passes(trial)));
    heads(head, widths, refill);
    sheet.style.height = `${ROW * (view.rows.length + 1)}px`;
    forget();
    box.setAttribute("aria-rowcount", String(view.rows.length + 1));
    count.textContent = view.rows.length === sweep.trials.length ? counted(sweep.trials.length, "trial") : `${view.rows.length.toLocaleString("en")} of ${counted(sweep.trials.length, "trial")}`;
    draw();
  };
  box.addEventListener("scroll", draw, { passive: true });
  box.addEventListener("keydown", (event) => keys(event, box, draw));
  on("data filter theme", refill);
  on("select", draw);
  refill();
  return section("trials", "Trials", "Click a heading to sort, a row to open it. Filters apply to every chart on the page.", h("div.panel", {}, filters(), box, count));
}

function heading(column) {
  if (column === `val ${sweep.objective.metric}`) return `best ${sweep.objective.metric}`;
  return column;
}

function shown(trial, column) {
  const value = valueOf(trial, column);
  if (column === "trial") return trial.tried ? `${value} (tried)` : value;
  if (column === "status" || column === "why it ended") return value;
  if (column.startsWith("val ")) return formats.get(column)(value) + (column.slice(4) === sweep.objective.metric && trial.std ? ` ± ${figure(trial.std, 2)}` : "");
  return column === "training, s" ? (value ?? 0).toFixed(value < 100 ? 1 : 0) : sweep.columns.includes(column) ? setting(value) : figure(value);
}

function sorted(trials) {
  if (view.sort === "rank") {
    const order = ranked(trials);
    const names = new Set(order);
    const all = [...order, ...trials.filter((trial) => !names.has(trial))];
    return view.isUp ? all : all.reverse();
  }
  const sign = view.isUp ? 1 : -1;
  const compare = (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0);
  return trials.map((trial) => [valueOf(trial, view.sort), trial]).sort(([one, first], [other, second]) => {
    if (one === null || other === null) return (one === null) - (other === null);  // what is missing comes last
    return sign * compare(one, other) || compare(first.n, second.n);
  }).map((pair) => pair[1]);
}

function heads(head, widths, refill) {
  const objective = `val ${sweep.objective.metric}`;
  const active = view.sort === "rank" ? objective : view.sort;
  head.replaceChildren(...columns().map((column) => {
    const direction = column !== active ? "none" : (view.sort === "rank" ? isMax() !== view.isUp : view.isUp) ? "ascending" : "descending";
    return h(isText(column) ? "div.cell" : "div.cell.number", { role: "columnheader", "aria-sort": direction, style: `width:${widths.get(column)}px` },
      h("button", { type: "button", click: () => {
        const next = column === objective ? "rank" : column;
        view.isUp = view.sort === next ? !view.isUp : true;
        view.sort = next;
        refill();
        head.children[columns().indexOf(column)].firstChild.focus();
      } }, heading(column), direction === "none" ? "" : direction === "ascending" ? " ↑" : " ↓"));
  }));
}

/** Draw the rows that can be seen, and some beyond; those that are there already stay. */
function rows(box, sheet, widths) {
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - AHEAD);
  const last = Math.min(view.rows.length, Math.ceil((box.scrollTop + (box.clientHeight || 460)) / ROW) + AHEAD);
  for (const [at, element] of shownRows) {
    if (at >= first && at < last) continue;
    element.remove();
    shownRows.delete(at);
  }
  for (let at = first; at < last; at += 1) {
    const trial = view.rows[at];
    if (!shownRows.has(at)) {
      shownRows.set(at, row(trial, at, widths));
      sheet.append(shownRows.get(at));
    }
    shownRows.get(at).setAttribute("aria-selected", String(state.selected === trial.n));
  }
}

function row(trial, at, widths) {
  return h("div.row", {
    role: "row", "aria-rowindex": at + 2, "data-trial": trial.n, style: `top:${ROW * (at + 1)}px`,
    click: () => { view.focus = at; select(trial.n); }, mouseenter: () => hover(trial.n), mouseleave: () => hover(null),
  }, columns().map((column) => cell(trial, column, widths)));
}

/** Every row is another one now. */
function forget() {
  for (const element of shownRows.values()) element.remove();
  shownRows.clear();
}

function cell(trial, column, widths) {
  const words = shown(trial, column);
  const content = column === "status" ? h("span.status", { "data-mark": statusMark(trial.s), style: `--mark:${statusColour(trial.s)}` }, words) : words;
  return h(isText(column) ? "div.cell" : "div.cell.number", { role: "gridcell", style: `width:${widths.get(column)}px`, title: column === "why it ended" ? words : false }, content);
}

/** Up and down move through the rows, Enter opens one. */
function keys(event, box, draw) {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -1e9, End: 1e9 }[event.key];
  if (event.target !== box || (step === undefined && event.key !== "Enter") || !view.rows.length) return;
  event.preventDefault();
  const now = view.rows.findIndex((trial) => trial.n === state.selected);
  view.focus = step === undefined ? view.focus : now < 0 ? 0 : Math.max(0, Math.min(view.rows.length - 1, now + step));
  const top = ROW * view.focus;
  if (top < box.scrollTop) box.scrollTop = top;
  if (top + 2 * ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + 2 * ROW - box.clientHeight;
  select(view.rows[view.focus].n);
  draw();
  if (event.key === "Enter") emit("open");
}

/** The reader's filters: by state, by value, and those that brushing set. */
function filters() {
  const [states, chips] = [h("span.chips", { role: "group", "aria-label": "Filter by state" }), h("span.chips", { id: "filters" })];
  const low = h("input", { type: "number", step: "any", placeholder: "from", "aria-label": "From" });
  const high = h("input", { type: "number", step: "any", placeholder: "to", "aria-label": "To" });
  const choice = h("select", { "aria-label": "Value", hidden: true });
  let column = `val ${sweep.objective.metric}`;
  const suit = () => {
    const values = [...new Set(sweep.trials.map((trial) => valueOf(trial, column)))];
    const isRange = values.every((value) => typeof value === "number" || (value === null && column.startsWith("val ")) );
    [low.hidden, high.hidden, choice.hidden] = [!isRange, !isRange, isRange];
    choice.replaceChildren(...values.map((value) => h("option", {}, setting(value))));
    return isRange;
  };
  const names = columns().filter((name) => !isText(name));
  const add = () => {
    if (!choice.hidden) filter(column, { values: new Set([choice.value]) });
    else if (low.value !== "" || high.value !== "") filter(column, { low: low.value === "" ? -Infinity : Number(low.value), high: high.value === "" ? Infinity : Number(high.value) });
  };
  const show = () => {
    states.replaceChildren(...Object.entries(count()).map(([status, number]) => h("button", {
      type: "button", "data-status": status, "aria-pressed": String(state.filters.get("status")?.values.has(status) ?? false), click: () => toggleStatus(status),
    }, h("span.status", { "data-mark": statusMark(status), style: `--mark:${statusColour(status)}` }, `${status} ${number.toLocaleString("en")}`))));
    chips.replaceChildren(...[...state.filters].filter(([name]) => name !== "status").map(([name, wanted]) => h("button.chip", { type: "button", "aria-label": `Remove the filter of ${name}`, click: () => filter(name, null) }, `${heading(name)} ${condition(wanted)}`, h("span", { "aria-hidden": "true" }, "×"))),
      state.filters.size ? h("button", { type: "button", click: () => { state.filters.clear(); emit("filter"); } }, "Clear") : "");
  };
  on("data filter theme", show);
  const field = menu("Filter by", names.map((name) => [name, heading(name)]), column, (name) => { column = name; suit(); });
  for (const input of [low, high]) input.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); });
  suit();
  show();
  return h("div", {}, h("div.controls", {}, states), h("div.controls", {}, field, low, high, choice, h("button", { type: "button", click: add }, "Add filter"), chips));
}

function count() {
  const found = {};
  for (const trial of sweep.trials) found[trial.s] = (found[trial.s] ?? 0) + 1;
  return found;
}

function condition({ values, low, high }) {
  if (values) return [...values].join(" or ");
  if (low === -Infinity) return `≤ ${figure(high)}`;
  return high === Infinity ? `≥ ${figure(low)}` : `${figure(low)} to ${figure(high)}`;
}

function toggleStatus(status) {
  const values = new Set(state.filters.get("status")?.values ?? []);
  if (!values.delete(status)) values.add(status);
  filter("status", values.size ? { values } : null);
}
