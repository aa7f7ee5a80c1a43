// How the sweep was made: commands, versions, machine, data, and the files beside the page.
import { section } from "./chart.js";
import { page } from "./state.js";
import { sweep } from "./trials.js";
import { code, h } from "./words.js";

export function made() {
  const { made: facts } = sweep;
  const rows = [...facts.plan, ["device", facts.device], ["host", facts.host], ["seed", facts.seed], ["data hash", facts.dataHash], ["versions", Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`).join(", ")]];
  const shown = new Map(rows.filter((row) => row[1] !== "" && row[1] !== null));
  const files = facts.files.map(([name, words]) => h("li", {}, page.live ? name : h("a", { href: name }, name), h("span.soft", {}, ` — ${words}`)));
  return section("made", "How it was made", null, h("div.grid", {},
    h("div.panel.w7", {}, h("h3", {}, facts.commands.length > 1 ? "The commands" : "The command"), code(facts.commands.join("\n"), "Copy the commands"), h("h3", { style: "margin-top:1rem" }, "The plan, and what it ran on"),
      h("dl.pairs.small", {}, [...shown].flatMap(([name, value]) => [h("dt", {}, name), h("dd", { style: "font-weight:400" }, String(value))]))),
    h("div.panel.w5", {}, h("h3", {}, "Files beside this page"), h("p.soft.small", {}, facts.folder), h("ul.small", { style: "padding-left:1.1rem;margin:0" }, files))));
}
