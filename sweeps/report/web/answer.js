// The answer: what was found, how sure it is, what it beats; while the sweep runs, how far it is.
import { colour, statusColour } from "./colours.js";
import { section } from "./chart.js";
import { on, select } from "./state.js";
import { isMax, sweep } from "./trials.js";
import { clock, code, counted, figure, h, percent, say, setting } from "./words.js";

const STEPS = ["search", "retraining", "test and report"];

export function answer() {
  const [notices, card, how] = [h("div"), h("div.grid"), h("div.panel", { style: "margin-top:1rem" })];
  const element = section("answer", "The answer", `${sweep.description[0].toUpperCase()}${sweep.description.slice(1)}${sweep.source ? `; data: ${sweep.source}` : ""}.`, notices, card, how);
  const fill = () => {
    notices.replaceChildren(...sweep.notices.map((words) => h("p.notice", {}, words)));
    card.replaceChildren(...(sweep.answer ? found(sweep.answer) : [h("div.panel.w12", {}, h("p.soft", {}, "No trial has been validated yet."))]));
  };
  fill();
  progress(how);
  on("answer theme", fill);
  on("now theme", () => progress(how));
  return element;
}

function found(answer) {
  const metric = sweep.objective.metric;
  const [kind, best] = answer.test ? ["test", answer.test] : answer.validation ? ["validation", answer.validation] : ["validation", answer.search];
  const seeds = counted(best.values.length, "seed");
  const said = answer.test ? `${seeds}, each model tested once` : answer.validation ? `retrained from scratch, ${seeds}` : sweep.seedsPerTrial > 1 ? `best of the search, mean of ${seeds}` : "best of the search, one seed";
  const [mean, std] = best.words.split(" ± ");
  const goal = isMax() ? "higher is better" : "lower is better";
  const rows = [["test", answer.test], ["validation", answer.validation], ["search", answer.search]].filter((row) => row[1]);
  return [
    h("div.panel.w7", {},
      h("p.label", {}, `${kind} ${metric} · ${goal}`),
      h("div.big", { id: "result" }, mean, std && h("span.std", {}, ` ± ${std}`)),
      h("p.soft", {}, said),
      dots(rows, metric),
      answer.remark && h("p.verdict", {}, answer.remark)),
    h("div.panel.w5", {},
      h("p.label", {}, sweep.answer.validation ? "Best configuration" : "Best configuration so far"),
      h("dl.pairs", {}, Object.entries(answer.config).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, setting(value))])),
      h("p.soft", { style: "margin-top:.6rem" }, "Found by trial ", h("button.link", { type: "button", click: () => select(answer.trial) }, answer.trial), "."),
      answer.why && h("p.soft", {}, answer.why),
      answer.load && [h("p.label", {}, "Load the best model"), code(answer.load, "Copy the code")]),
  ];
}

/** Every seed's value as a dot on one scale: test, validation, search. A line marks the mean. */
function dots(rows, metric) {
  const values = rows.flatMap((row) => row[1].values).filter((value) => value !== null);
  if (!values.length) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const place = (value) => (high > low ? 4 + (92 * (value - low)) / (high - low) : 50);
  const words = rows.map(([name, one]) => `${name} ${one.values.map((value) => figure(value)).join(", ")}`).join("; ");
  const lines = rows.flatMap(([name, one], at) => {
    const finite = one.values.filter((value) => value !== null);
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const seeds = one.values.map((value, seed) => value !== null && h("i.dot", { style: `left:${place(value)}%${at ? "" : ";background:var(--accent)"}`, title: `${name}, seed ${seed + 1} of ${one.values.length}: ${figure(value, 6)}` }));
    return [h("span", {}, name), h("span.track", {}, finite.length > 1 && h("i.mean", { style: `left:${place(mean)}%` }), seeds)];
  });
  const scale = high > low ? [h("b", { style: "left:4%" }, figure(low)), h("b", { style: "left:96%" }, figure(high))] : [h("b", { style: "left:50%" }, figure(low))];
  return h("div.dots", { role: "img", "aria-label": `${metric} of every seed: ${words}` }, lines, h("span"), h("span.scale", {}, scale));
}

/** Trials by state, epochs of those possible, and while it runs the phase and the time left. */
function progress(element) {
  const { now } = sweep;
  const isRunning = now.state === "running";
  const parts = [];
  if (isRunning) {
    const at = STEPS.indexOf(now.phase);
    parts.push(h("ol.steps", {}, STEPS.map((name, place) => h(place < at ? "li.done" : "li", { "aria-current": place === at ? "step" : false }, name))));
  }
  parts.push(phase("Search", now.search));
  const none = { by: {}, toCome: 0, requested: 0, ended: 0, epochs: 0, possible: 0 };
  if (now.retraining || isRunning) parts.push(h("div", { style: "margin-top:.9rem" }, phase("Retraining", now.retraining ?? none)));
  const time = isRunning ? `${clock(now.elapsed)} elapsed, ${now.left}` : `The whole sweep took ${clock(now.elapsed)}.`;
  parts.push(h("p.soft.nums", { id: "clock", style: "margin:.7rem 0 0" }, time));
  const fresh = h("div", {}, parts);
  if (element.firstChild?.innerHTML !== fresh.innerHTML) element.replaceChildren(fresh);
}

function phase(name, counts) {
  const { by, toCome, requested } = counts;
  const all = Math.max(1, requested);
  const bar = h("div.bar", { role: "img", "aria-label": `${name}: ${Object.entries(by).map(([status, number]) => `${number} ${status}`).join(", ")}${toCome ? `, ${toCome} to come` : ""}` });
  for (const [status, number] of Object.entries(by)) bar.append(h("span", { style: `width:${(100 * number) / all}%;background:${statusColour(status)}` }));
  const keys = Object.entries(by).map(([status, number]) => h("li", {}, h("i", { style: `background:${statusColour(status)}` }), `${number.toLocaleString("en")} ${status}`));
  if (toCome) keys.push(h("li", {}, h("i", { style: `background:${colour("wash")}` }), `${toCome.toLocaleString("en")} to come`));
  const share = counts.possible ? ` (${percent(counts.epochs / counts.possible)})` : "";
  const noun = name === "Search" ? "trial" : "retraining";
  const words = requested ? `${counts.ended.toLocaleString("en")} of ${counted(requested, noun)} ended · ${counts.epochs.toLocaleString("en")} of ${counts.possible.toLocaleString("en")} possible epochs${share}` : "to come, after the selection";
  return h("div", {}, h("p.label", {}, `${name}: ${words}`), bar, h("ul.keys", {}, keys.length ? keys : h("li", {}, "\u00a0")));
}

/** The word at the top that says whether it runs. */
export function stateWord() {
  const pill = document.getElementById("state");
  const show = () => { pill.dataset.state = sweep.now.state; say(pill, sweep.now.state === "running" ? sweep.now.phase || "running" : sweep.now.state); };
  show();
  on("now", show);
}
