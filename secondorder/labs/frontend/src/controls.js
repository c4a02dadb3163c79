// Labelled native controls; a slider steps through its allowed values.
import { element, format } from "./text.js";

let count = 0;

// The allowed value that equals `value`, else the nearest number, else undefined.
export function nearest(values, value) {
  const match = values.find((item) => String(item) === String(value));
  if (match !== undefined) return match;
  const number = String(value).trim() === "" ? NaN : Number(value);
  if (Number.isNaN(number) || typeof values[0] === "string") return undefined;
  return values.reduce((best, item) => (Math.abs(item - number) < Math.abs(best - number) ? item : best));
}

// `moved(state)` is called when a person moves a control; `set(state)` moves them without calling it.
export function controls(specs, start, moved) {
  const state = { ...start };
  const node = element("div", "so-controls");
  const show = {};
  for (const spec of specs) {
    const change = (value) => {
      state[spec.name] = value;
      show[spec.name](value);
      moved({ ...state });
    };
    const [row, update] = (spec.kind === "slider" ? slider : choice)(spec, change);
    show[spec.name] = update;
    update(state[spec.name]);
    node.append(row);
  }
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) {
      if (!(name in show)) continue;
      state[name] = value;
      show[name](value);
    }
  };
  return { node, set, state: () => ({ ...state }) };
}

function row(spec, input) {
  const node = element("div", "so-control");
  const label = element("label", "", spec.label);
  input.id = label.htmlFor = `so-control-${++count}`;
  input.name = spec.name;
  node.append(label, input);
  return node;
}

function slider(spec, change) {
  const input = element("input");
  Object.assign(input, { type: "range", min: 0, max: spec.values.length - 1, step: 1 });
  input.disabled = spec.values.length < 2;
  const node = row(spec, input);
  const output = element("output");
  output.htmlFor = input.id;
  node.append(output);
  input.addEventListener("input", () => change(spec.values[input.valueAsNumber]));
  const update = (value) => {
    input.value = spec.values.indexOf(value);
    output.textContent = format(value, spec.log);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  return [node, update];
}

function choice(spec, change) {
  const input = element("select");
  for (const value of spec.values) input.append(new Option(value, value));
  input.addEventListener("change", () => change(input.value));
  return [row(spec, input), (value) => (input.value = value)];
}
