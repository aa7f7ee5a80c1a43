// Words and elements: how numbers are written, and how parts of the page are made.

/** A value to four significant digits; "none" for null as a hyperparameter, "NaN" for a missing measurement. */
export function figure(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e");
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(digits)));
}

/** How to write the values of one column, so that they align: with equally many decimals unless they span much. */
export function columnFormat(values, digits = 5) {
  const sizes = values.filter((value) => typeof value === "number" && value !== 0).map(Math.abs);
  const [low, high] = sizes.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, 0]);
  if (!sizes.length || high > 30 * low || high >= 1e6 || high < 1e-4) return (value) => figure(value, digits - 1);
  const decimals = Math.max(0, digits - 2 - Math.floor(Math.log10(high)));
  return (value) => (typeof value === "number" ? value.toFixed(decimals) : "–");
}

/** A hyperparameter as a person writes it. */
export function setting(value) {
  if (value === null || value === undefined) return "none";
  return typeof value === "number" ? String(Number(value.toPrecision(3))) : String(value);
}

/** Seconds as 1:02:03, or 2:03. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A duration in the unit that fits: "45 s", "12 min", "3.5 h". */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

export function percent(share, digits = 0) {
  return `${(100 * share).toFixed(digits)} %`;
}

/** An element: h("p.soft", {id: "x"}, "text", child, ...). Functions among the properties are event listeners. */
export function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

/** Text in a box with a button that copies it. */
export function code(text, what = "Copy") {
  const button = h("button", { type: "button", "aria-label": `${what}`, click: () => copy(text, button) }, "Copy");
  return h("div.code", {}, h("pre", {}, text), button);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // a page from disk may not use the clipboard in some browsers
    const area = h("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

/** A choice between a few values, as a row of buttons. */
export function segmented(label, choices, current, change) {
  const group = h("span.segmented", { role: "group", "aria-label": label });
  for (const [value, words] of choices) {
    group.append(h("button", {
      type: "button", "aria-pressed": String(value === current), "data-value": value,
      click: (event) => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === event.currentTarget));
        change(value);
      },
    }, words));
  }
  return group;
}

/** A button that is on or off. */
export function toggle(words, isOn, change) {
  return h("button", {
    type: "button", "aria-pressed": String(isOn),
    click: (event) => {
      const next = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(next));
      change(next);
    },
  }, words);
}

/** A menu. */
export function menu(words, choices, current, change) {
  const select = h("select", { change: () => change(select.value) });
  for (const choice of choices) {
    const [value, text] = Array.isArray(choice) ? choice : [choice, choice];
    select.append(h("option", { value, selected: value === current }, text));
  }
  return h("label", {}, words, select);
}

/** Change only what differs, so that a live page does not flicker: text of an element. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
