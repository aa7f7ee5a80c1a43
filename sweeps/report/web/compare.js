// Several sweeps on one page: what they found at what cost, a table, and how their plans differ.
import { section } from "./chart.js";
import { SERIES } from "./colours.js";
import { on, page } from "./state.js";
import { spent } from "./spent.js";
import { sweep } from "./trials.js";
import { clock, counted, h, menu, percent, setting } from "./words.js";

/** With several sweeps, a menu in place of the name at the top: which one most of the page is about. */
export function chooser() {
  if (page.sweeps.length < 2) return;
  const choose = (at) => { location.hash = `sweep=${Number(at) + 1}`; location.reload(); };
  document.querySelector("header h1").replaceChildren(sweep.task, h("span.slash", {}, "/"), menu(h("span.hidden", {}, "Sweep"), page.sweeps.map((one, at) => [String(at), one.label]), String(page.sweeps.indexOf(sweep)), choose));
}

export function compare() {
  const [table, plans] = [h("div.panel"), h("div.panel", { style: "margin-top:1rem" })];
  const fill = () => { table.replaceChildren(...facts()); plans.replaceChildren(...differences()); };
  on("data now answer theme", fill);
  fill();
  return section("sweeps", "The sweeps side by side", `${counted(page.sweeps.length, "sweep")} of ${page.sweeps[0].task}. The rest of the page is about the one that is chosen above.`, table, h("div.grid", { style: "margin-top:1rem" }, ...spent()), plans);
}

function facts() {
  const rows = {
    state: (one) => one.now.state, search: (one) => one.search, scheduler: (one) => one.scheduler + (one.rungs.length ? `, rungs ${one.rungs.join(", ")}` : ""),
    "trials ended": (one) => `${one.now.search.ended.toLocaleString("en")} of ${one.now.search.requested.toLocaleString("en")}`,
    epochs: (one) => `${one.now.search.epochs.toLocaleString("en")} of ${one.now.search.possible.toLocaleString("en")} (${percent(one.now.search.epochs / Math.max(1, one.now.search.possible))})`,
    "time of the search": (one) => clock(one.now.searchSeconds), "best validation of the search": (one) => one.answer?.search.words ?? "none yet",
    "after retraining": (one) => one.answer?.validation?.words ?? "not retrained", test: (one) => one.answer?.test?.words ?? "not tested",
    "best configuration": (one) => (one.answer ? Object.entries(one.answer.config).map(([name, value]) => `${name} ${setting(value)}`).join(", ") : "none yet"),
  };
  const { metric, mode } = page.sweeps[0].objective;
  return [h("h3", {}, `By ${metric} (${mode})`), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of the sweeps" }, h("table.plain.left", {},
    h("thead", {}, h("tr", {}, h("th", {}, ""), page.sweeps.map((one, at) => h("th", { scope: "col" }, h("span.swatch", { style: `color:${SERIES[at % SERIES.length]}` }), one.label)))),
    h("tbody", {}, Object.entries(rows).map(([name, get]) => h("tr", {}, h("th", { scope: "row" }, name), page.sweeps.map((one) => h("td", {}, get(one))))))))];
}

/** The lines of the plans that are not the same in all. */
function differences() {
  const plans = page.sweeps.map((one) => new Map(one.made.plan));
  const names = [...new Set(plans.flatMap((plan) => [...plan.keys()]))].filter((name) => name !== "results" && new Set(plans.map((plan) => plan.get(name))).size > 1);
  if (!names.length) return [h("h3", {}, "Their plans"), h("p.soft", {}, "The plans are the same.")];
  return [h("h3", {}, "How their plans differ"), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Differences of the plans" }, h("table.plain.left", {},
    h("thead", {}, h("tr", {}, h("th", {}, ""), page.sweeps.map((one) => h("th", { scope: "col" }, one.label)))),
    h("tbody", {}, names.map((name) => h("tr", {}, h("th", { scope: "row" }, name), plans.map((plan) => h("td", {}, plan.get(name) ?? "–")))))))];
}
