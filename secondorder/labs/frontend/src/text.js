// Small helpers: a node with a class and words, a value in words.

export function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// `log`: small and large numbers as powers of ten.
export function format(value, log) {
  if (typeof value === "string") return value;
  const size = Math.abs(value);
  if (log && size > 0 && (size < 0.01 || size >= 1e4)) return Number(value.toPrecision(3)).toExponential().replace("e+", "e");
  return String(Number(value.toPrecision(6)));
}
