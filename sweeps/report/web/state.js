// What the reader has chosen, and who wants to know of a change.

export const page = JSON.parse(document.getElementById("data").textContent);

export const state = {
  selected: null,  // the name of a trial or a retraining
  hovered: null,
  filters: new Map(),  // column: {values: Set} or {low, high}
};

const listeners = new Map();

/** Call a function at every change of one of these kinds: "data", "select", "hover", "filter", "theme". */
export function on(kinds, listener) {
  for (const kind of kinds.split(" ")) listeners.set(kind, [...(listeners.get(kind) ?? []), listener]);
}

export function emit(kind) {
  for (const listener of listeners.get(kind) ?? []) listener();
}

export function select(name) {
  if (state.selected === name) return;
  state.selected = name;
  emit("select");
}

export function hover(name) {
  if (state.hovered === name) return;
  state.hovered = name;
  emit("hover");
}

/** Keep the trials whose value lies in a range or is one of some; null keeps all. */
export function filter(column, condition) {
  if (condition === null) state.filters.delete(column);
  else state.filters.set(column, condition);
  emit("filter");
}
