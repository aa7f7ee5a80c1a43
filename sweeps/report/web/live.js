// Updates of a sweep that runs: what is new arrives as server-sent events; after a gap, the page asks for what it missed.
import { emit, page } from "./state.js";
import { reindex } from "./trials.js";
import { say } from "./words.js";

const SILENT_MS = 15000;
const LONGEST_WAIT_MS = 10000;
let source = null;
let heard = 0;
let wait = 1000;
let timer = null;

/** Listen, for as long as the page is open. */
export function live() {
  if (!page.live) return;
  connect();
  setInterval(() => { if (Date.now() - heard > SILENT_MS) again(); }, 5000);
  const awake = () => { if (!document.hidden && Date.now() - heard > SILENT_MS) again(0); };
  document.addEventListener("visibilitychange", awake);
  window.addEventListener("online", () => again(0));
}

function connect() {
  heard = Date.now();
  source?.close();
  source = new EventSource(`updates?since=${encodeURIComponent(page.live)}`);
  source.addEventListener("update", (event) => { hear(); take(JSON.parse(event.data), event.lastEventId); });
  source.addEventListener("reload", () => { hear(); anew(); });
  source.addEventListener("error", () => { lost(); again(); });
}

function hear() {
  heard = Date.now();
  wait = 1000;
  if (document.documentElement.dataset.connection === "lost") {
    delete document.documentElement.dataset.connection;
    emit("now");
  }
}

function lost() {
  document.documentElement.dataset.connection = "lost";
  const pill = document.getElementById("state");
  pill.dataset.state = "lost";
  say(pill, "reconnecting …");
}

function again(after = wait) {
  clearTimeout(timer);
  source?.close();
  wait = Math.min(LONGEST_WAIT_MS, wait * 2);
  timer = setTimeout(connect, after);
}

/** Read everything anew: the sweep ended, was resumed, or is another one. */
async function anew() {
  source?.close();
  try {
    const answer = await fetch("data");
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = await answer.json();
    fresh.sweeps.forEach((sweep, at) => Object.assign(page.sweeps[at] ?? {}, sweep));
    page.live = fresh.live;
    reindex();
    for (const kind of ["now", "answer", "importance", "figures", "data", "made"]) emit(kind);
    again(0);
  } catch {
    lost();
    again();
  }
}

/** Put what is new into the page's data, then let the parts that show it draw again. */
function take(patches, state) {
  page.live = state;
  let isNews = false;
  patches.forEach((patch, at) => {
    const sweep = page.sweeps[at];
    if (!sweep) return;
    sweep.now = patch.now;
    if (!patch.trials) return;
    isNews = true;
    for (const [list, fresh] of [[sweep.trials, patch.trials], [sweep.runs, patch.runs]]) merge(list, fresh);
    for (const key of ["notices", "answer", "retrained", "tests", "importance"]) sweep[key] = patch[key];
  });
  if (isNews) {
    reindex();
    for (const kind of ["answer", "importance", "data"]) emit(kind);
  }
  emit("now");
}

function merge(list, fresh) {
  const places = new Map(list.map((trial, at) => [trial.n, at]));
  for (const trial of fresh) {
    const at = places.get(trial.n);
    if (at === undefined) { list.push(trial); continue; }
    const before = list[at];
    const keep = (old, added) => [...old.slice(0, trial.from), ...added];
    list[at] = { ...trial, from: 0, e: keep(before.e, trial.e), l: keep(before.l, trial.l), t: keep(before.t, trial.t), m: trial.m.map((values, metric) => keep(before.m[metric] ?? [], values)) };
  }
}
