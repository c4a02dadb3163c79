// The anywidget: moves go to the kernel, scenes come back. An answer to another state than the shown one is not drawn.
import { decoder } from "./decode.js";
import { frame } from "./frame.js";
import css from "./style.css";
import { element } from "./text.js";

const DEBOUNCE = 30; // milliseconds

function render({ model, el }) {
  const root = element("div", "so-explorer");
  const sentence = element("p", "so-sentence");
  root.append(sentence);
  el.append(element("style", "", css), root);

  let timer = 0;
  const view = frame(root, model.get("spec"), model.get("state"), {
    moved,
    sentence,
    preset(values) {
      const button = element("button");
      button.type = "button";
      button.addEventListener("click", () => {
        view.set(view.snap(values));
        moved(view.state());
      });
      return button;
    },
  });

  // Keys are ours here: JupyterLab would take the arrows for its cells.
  for (const node of root.querySelectorAll("input, select, button")) node.dataset.lmSuppressShortcuts = "true";

  function moved(state) {
    view.busy(true);
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      model.set("state", state);
      model.save_changes();
      answered();
    }, DEBOUNCE);
  }

  function answered() {
    const scene = model.get("scene");
    if (!same(scene.state, view.state())) return;
    if (scene.panels) view.show(decoder()({ panels: scene.panels, sentence: scene.sentence }));
    else view.fail(model.get("error"));
    view.busy(false);
  }

  function told() {
    if (timer) return; // a newer state is on its way
    view.set(model.get("state"));
    if (same(model.get("scene").state, view.state())) answered();
    else view.busy(true);
  }

  model.on("change:scene", answered);
  model.on("change:state", told);
  answered();
  return () => {
    model.off("change:scene", answered);
    model.off("change:state", told);
    clearTimeout(timer);
    view.close();
  };
}

function same(a, b) {
  const names = Object.keys(b);
  return a && Object.keys(a).length === names.length && names.every((name) => a[name] === b[name]);
}

export default { render };
