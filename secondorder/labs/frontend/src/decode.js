// A scene as `encode` in scene.py wrote it, with its arrays unpacked. {"$": i} stands for parts[i]; each is unpacked once.

const STEPS = 65534;
const GAP = -32768;

export function decoder(parts = []) {
  const done = new Map();
  return function decode(node) {
    if (Array.isArray(node)) return typeof node[0] === "object" ? node.map(decode) : node;
    if (node === null || typeof node !== "object") return node;
    if ("$" in node) {
      if (!done.has(node.$)) done.set(node.$, decode(parts[node.$]));
      return done.get(node.$);
    }
    if ("list" in node) return node.list.map((value) => value ?? NaN);
    if ("float64" in node) return new Float64Array(bytes(node.float64));
    if ("float32" in node) return scaled(new Float32Array(bytes(node.float32)), (value) => value, node.log);
    if ("int16" in node) {
      const unit = (node.high - node.low) / STEPS;
      const value = (code) => (code === GAP ? NaN : node.low + (code + STEPS / 2) * unit);
      return scaled(new Int16Array(bytes(node.int16)), value, node.log);
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, decode(value)]));
  };
}

function scaled(codes, value, log) {
  return Float64Array.from(codes, log ? (code) => 10 ** value(code) : value);
}

// Base64 text in a page, a DataView in a notebook; both little-endian.
function bytes(data) {
  if (typeof data === "string") return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer;
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
}
