// Puts the page together.
import { answer, stateWord } from "./answer.js";
import { compare, chooser } from "./compare.js";
import { curves } from "./curves.js";
import { details } from "./details.js";
import { model } from "./figures.js";
import { live } from "./live.js";
import { made } from "./made.js";
import { space } from "./parallel.js";
import { retraining } from "./retraining.js";
import { emit, page } from "./state.js";
import { table } from "./table.js";
import { cost } from "./timeline.js";
import { reindex } from "./trials.js";
import { h } from "./words.js";

const NAMES = { sweeps: "Sweeps", answer: "Answer", curves: "Curves", trials: "Trials", space: "Hyperparameters", cost: "Cost", retraining: "Retraining", model: "Model", made: "How" };

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* a page from disk may have no storage */ }
  const apply = () => {
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    emit("theme");
  };
  dark.addEventListener("change", apply);
  document.getElementById("theme").addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", chosen); } catch { /* the same */ }
    apply();
  });
  apply();
}

function navigation(sections) {
  const nav = document.getElementById("sections");
  const links = new Map(sections.filter((one) => NAMES[one.id]).map((one) => [one.id, h("a", { href: `#${one.id}` }, NAMES[one.id])]));
  nav.append(...links.values());
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const [id, link] of links) link.toggleAttribute("aria-current", id === entry.target.id);
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const one of sections) seen.observe(one);
}

if (page.live) document.documentElement.dataset.live = "yes";
reindex();
theme();
stateWord();
chooser();
live();
const sections = [...(page.sweeps.length > 1 ? [compare()] : []), answer(), curves(), table(), space(), cost(), retraining(), model(), made()];
document.getElementById("main").append(...sections, h("footer", {}, "Made by lstm-ae-sweeps. Charts: Apache ECharts 6.1.0 (Apache License 2.0). This page loads nothing from any network."));
navigation(sections);
details();
document.documentElement.dataset.ready = "yes";
