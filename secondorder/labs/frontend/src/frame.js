// What the lab and the page share: title, controls, presets, picture, sentence.
import { controls, nearest } from "./controls.js";
import { draw } from "./draw.js";
import { element } from "./text.js";

// `preset(values)` makes the link or button of one preset; `sentence` is the node that carries the words.
export function frame(el, spec, state, { moved, preset, sentence }) {
  const panel = controls(spec.controls, state, moved);
  const picture = element("div", "so-picture");
  const problem = element("p", "so-error");
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  const presets = element("p", "so-presets");
  for (const [caption, values] of Object.entries(spec.presets)) {
    const node = preset(values);
    node.textContent = caption;
    presets.append(node);
  }
  sentence.setAttribute("aria-live", "polite");
  const before = [element("div", "so-heading", spec.title), panel.node];
  if (presets.childNodes.length) before.push(presets);
  el.prepend(...before, picture, problem);

  let scene = null;
  let width = 0;
  function paint() {
    if (!scene || width <= 0) return;
    picture.replaceChildren(draw(scene, width));
    picture.style.minHeight = `${Math.max(parseFloat(picture.style.minHeight) || 0, picture.firstChild.offsetHeight)}px`;
  }
  const observer = new ResizeObserver(() => {
    const now = picture.clientWidth - 1;
    if (Math.abs(now - width) < 2) return;
    width = now;
    picture.style.minHeight = "";
    paint();
  });
  observer.observe(picture);

  return {
    state: panel.state,
    set: panel.set,
    // The allowed values nearest to what `values` asks of these controls.
    snap(values) {
      const out = {};
      for (const { name, values: allowed } of spec.controls) {
        const value = name in values ? nearest(allowed, values[name]) : undefined;
        if (value !== undefined) out[name] = value;
      }
      return out;
    },
    show(next) {
      scene = next;
      if (width <= 0) width = picture.clientWidth - 1; // rounded up by the browser
      problem.hidden = true;
      sentence.textContent = scene.sentence;
      paint();
    },
    fail(message) {
      scene = null;
      picture.replaceChildren();
      sentence.textContent = "";
      problem.hidden = false;
      problem.textContent = message;
    },
    busy(yes) {
      el.setAttribute("aria-busy", yes);
      el.classList.toggle("so-busy", yes);
    },
    close: () => observer.disconnect(),
  };
}
