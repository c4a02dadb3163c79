// A decoded scene as a DOM node: panels side by side, or below each other where there is no room.
import * as Plot from "@observablehq/plot";
import { ticks } from "d3-array";
import { element, format } from "./text.js";

const GAP = 20; // between panels, pixels
const NARROWEST = 300; // a panel beside another one
const WIDEST = 640;
const BARE = 6; // beside an axis without ticks and label
const MARGIN = { top: 26, right: 14, bottom: 38, left: 50 };

export function draw(scene, width) {
  const fit = Math.max(1, Math.min(scene.panels.length, Math.floor((width + GAP) / (NARROWEST + GAP))));
  const each = Math.min(WIDEST, Math.floor((width - GAP * (fit - 1)) / fit));
  const node = element("div", "so-scene");
  scene.panels.forEach((panel, i) => node.append(drawPanel(panel, each, i ? describe(panel) : scene.sentence)));
  return node;
}

function describe(panel) {
  const axes = panel.x.label && panel.y.label ? ` (${panel.y.label} against ${panel.x.label})` : "";
  return (panel.title || panel.y.label) + axes;
}

function drawPanel(panel, width, description) {
  const node = element("div", "so-panel");
  node.style.width = `${width}px`;
  if (panel.title) node.append(element("div", "so-panel-title", panel.title));
  const keys = panel.marks.filter((mark) => mark.label);
  if (keys.length) node.append(legend(keys));
  const [x, y] = [scale(panel, "x"), scale(panel, "y")];
  const margin = margins(panel);
  const size = inner(panel, x.domain, y.domain, width - margin.left - margin.right);
  const svg = Plot.plot({
    width: size.width + margin.left + margin.right,
    height: size.height + margin.top + margin.bottom,
    marginTop: margin.top,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    marginLeft: margin.left,
    style: { fontSize: "12px", background: "none", overflow: "visible" },
    x: scaleOptions(x),
    y: scaleOptions(y),
    marks: [
      Plot.gridX({ ticks: x.ticks, strokeOpacity: 0.1 }),
      Plot.gridY({ ticks: y.ticks, strokeOpacity: 0.1 }),
      ...panel.marks.flatMap((mark) => marks[mark.kind](mark, x, y)),
      Plot.axisX(axisOptions(x, { label: panel.x.label || null, labelAnchor: "center", labelOffset: 34 })),
      Plot.axisY(axisOptions(y, { label: panel.y.label || null })),
      Plot.frame({ strokeOpacity: 0.35 }),
    ],
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", description);
  node.append(svg);
  return node;
}

function margins({ x, y }) {
  const bare = (axis) => !axis.ticks && !axis.label;
  return {
    top: bare(y) ? BARE : MARGIN.top,
    right: bare(y) ? BARE : MARGIN.right,
    bottom: bare(x) ? BARE : MARGIN.bottom,
    left: bare(y) ? BARE : MARGIN.left,
  };
}

function inner(panel, [x0, x1], [y0, y1], width) {
  const height = 270;
  if (!panel.equal) return { width, height };
  const unit = Math.min(width / (x1 - x0), (height + 40) / (y1 - y0));
  return { width: unit * (x1 - x0), height: unit * (y1 - y0) };
}

// ---- axes

function scale(panel, name) {
  const { scale, domain, ticks: ticked } = panel[name];
  const log = scale === "log";
  const values = panel.marks.flatMap((mark) => coordinates(mark, name)).filter((v) => Number.isFinite(v) && (!log || v > 0));
  const [low, high] = domain ?? extent(values, log, panel.marks.some((mark) => filling.has(mark.kind)));
  const out = { log, domain: [low, high] };
  if (!ticked) {
    out.ticks = [];
  } else if (log) {
    out.ticks = logTicks(low, high);
    out.tickFormat = power;
  } else if (high - low <= 8 && values.length && values.every(Number.isInteger)) {
    out.ticks = range(Math.ceil(low), high, 1);
    out.tickFormat = "d";
  }
  return out;
}

// Powers of ten, at most six; within two decades 1, 2, 5; within one the multiples of a round number.
function logTicks(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.ceil((last - first + 1) / 6);
  if (last > first) return range(Math.ceil(first / step) * step, last, step).map((k) => 10 ** k);
  const fine = range(first - 1, last + 1, 1).flatMap((k) => [1, 2, 5].map((digit) => digit * 10 ** k));
  const inside = fine.filter((value) => value >= low && value <= high);
  return inside.length > 2 ? inside : ticks(low, high, 4);
}

function coordinates(mark, name) {
  if (mark.kind === "rule") return mark[name] === null ? [] : [mark[name]];
  if (mark.kind === "band" && name === "y") return [...mark.low, ...mark.high];
  return Array.from(mark[name]);
}

const filling = new Set(["field", "image"]); // the frame lies close around these

function extent(values, log, tight) {
  if (!values.length) return log ? [0.1, 10] : [0, 1];
  const at = log ? Math.log10 : (value) => value;
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, at(value));
    high = Math.max(high, at(value));
  }
  if (low === high) [low, high] = [low - 1, high + 1];
  const pad = tight ? 0 : 0.03 * (high - low);
  return [low - pad, high + pad].map((value) => (log ? 10 ** value : value));
}

function scaleOptions({ log, domain }) {
  return { type: log ? "log" : "linear", domain };
}

function axisOptions({ ticks, tickFormat }, options) {
  return { ticks, tickFormat, tickSize: 4, labelArrow: "none", ...options };
}

function range(first, last, step) {
  return Array.from({ length: Math.max(0, Math.floor((last - first) / step) + 1) }, (_, i) => first + i * step);
}

function power(value) {
  const exponent = Math.log10(value);
  const whole = Math.round(exponent);
  if (Math.abs(exponent - whole) > 1e-9) return format(value, true);
  if (whole === 0 || whole === 1) return whole ? "10" : "1";
  return "10" + String(whole).replace(/./g, (letter) => (letter === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[letter]));
}

// ---- marks

const paint = (color) => (color === "muted" ? "var(--so-muted)" : color);
const shown = (values, { log }) => Array.from(values, (value) => (log && !(value > 0) ? NaN : value));

const marks = {
  line(mark, x, y) {
    const xs = shown(mark.x, x);
    const options = { x: xs, y: shown(mark.y, y), clip: true };
    const out = [];
    const dash = mark.dash ? "6 4" : undefined;
    if (mark.line)
      out.push(Plot.line(xs, { ...options, stroke: paint(mark.color), strokeWidth: mark.width, strokeDasharray: dash }));
    const dot = { fill: paint(mark.color), r: xs.length > 60 ? 2 : 3.2, clip: false, filter: within(options, x, y) };
    if (mark.markers) out.push(Plot.dot(xs, { ...options, ...dot })); // whole even at the edge
    return out;
  },
  points(mark, x, y) {
    const options = { x: shown(mark.x, x), y: shown(mark.y, y) };
    const dot = { fill: paint(mark.color), fillOpacity: mark.opacity, r: mark.size, filter: within(options, x, y) };
    return [Plot.dot(options.x, { ...options, ...dot })];
  },
  image(mark) {
    return [
      (_, { x, y }) => {
        const [left, right, bottom, top] = [...mark.x.map(x), ...mark.y.map(y)];
        const node = document.createElementNS("http://www.w3.org/2000/svg", "image");
        const box = { x: left, y: top, width: right - left, height: bottom - top };
        const attributes = { ...box, href: mark.source, preserveAspectRatio: "none", style: "image-rendering: pixelated" };
        for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
        return node;
      },
    ];
  },
  field(mark, x, y) {
    const [x1, x2] = edges(mark.x, x);
    const [y1, y2] = edges(mark.y, y);
    const grid = { width: mark.x.length, height: mark.y.length, x1, x2, y1, y2, thresholds: mark.levels, clip: true };
    return [
      Plot.contour(mark.z, { ...grid, stroke: "none", fill: "var(--so-field)", fillOpacity: 0.07 }), // layers add up
      Plot.contour(mark.z, { ...grid, stroke: "currentColor", strokeOpacity: 0.3, strokeWidth: 0.8 }),
    ];
  },
  band(mark, x, y) {
    const options = { x: shown(mark.x, x), y1: shown(mark.low, y), y2: shown(mark.high, y) };
    return [Plot.areaY(options.x, { ...options, fill: paint(mark.color), fillOpacity: 0.2, clip: true })];
  },
  rule(mark) {
    const options = { stroke: paint(mark.color), strokeWidth: 1.5, strokeDasharray: mark.dash ? "5 4" : undefined, clip: true };
    return [mark.x === null ? Plot.ruleY([mark.y], options) : Plot.ruleX([mark.x], options)];
  },
  text(mark, x, y) {
    const [xs, ys] = [shown(mark.x, x), shown(mark.y, y)];
    const inside = within({ x: xs, y: ys }, x, y);
    const far = xs.map((value) => place(value, x) > 0.7); // write to the left there
    return [false, true].map((end) =>
      Plot.text(mark.text, {
        x: xs,
        y: ys,
        text: mark.text,
        filter: (_, i) => inside(_, i) && far[i] === end,
        textAnchor: end ? "end" : "start",
        dx: end ? -6 : 6,
        dy: -7,
        fill: "currentColor",
        stroke: "var(--so-background)",
        strokeWidth: 3,
      }),
    );
  },
};

// A filter that keeps the points inside the frame.
function within({ x: xs, y: ys }, x, y) {
  const inside = (value, axis) => Math.abs(place(value, axis) - 0.5) <= 0.5 + 1e-9; // false for a gap
  return (_, i) => inside(xs[i], x) && inside(ys[i], y);
}

// Where a value stands between the ends of its axis, 0 to 1.
function place(value, { log, domain }) {
  const at = log ? Math.log10 : (v) => v;
  return (at(value) - at(domain[0])) / (at(domain[1]) - at(domain[0]));
}

// Half a cell around the grid: the values sit in the middle of the cells.
function edges(grid, { log }) {
  const [first, last] = [grid[0], grid[grid.length - 1]].map((value) => (log ? Math.log(value) : value));
  const half = (last - first) / (grid.length - 1) / 2;
  return [first - half, last + half].map((value) => (log ? Math.exp(value) : value));
}

// ---- legend

function legend(keys) {
  const node = element("div", "so-legend");
  for (const mark of keys) {
    const key = element("span", "so-key");
    key.innerHTML = `<svg width="24" height="12" aria-hidden="true">${swatch(mark)}</svg>`;
    key.append(mark.label);
    node.append(key);
  }
  return node;
}

function swatch(mark) {
  const color = paint(mark.color);
  if (mark.kind === "band") return `<rect width="24" height="12" style="fill:${color}" fill-opacity="0.25"/>`;
  if (mark.kind === "points") return `<circle cx="12" cy="6" r="3.2" style="fill:${color}" fill-opacity="0.8"/>`;
  const dash = mark.dash ? 'stroke-dasharray="5 3"' : "";
  const width = mark.kind === "rule" ? 1.5 : mark.width;
  const line = `<line x1="0" x2="24" y1="6" y2="6" style="stroke:${color}" stroke-width="${width}" ${dash}/>`;
  const dot = `<circle cx="12" cy="6" r="3.2" style="fill:${color}"/>`;
  return (mark.line === false ? "" : line) + (mark.markers ? dot : "");
}
