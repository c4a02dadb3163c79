// Explorers in a page without a server: all their scenes stand in the page. `#period=20&M=1` is a state of the page.
import { decoder } from "./decode.js";
import { frame } from "./frame.js";
import css from "./style.css";
import { element } from "./text.js";

function start(figure, several) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const name = figure.dataset.view;
  const decode = decoder(data.parts);
  const link = (values) => `#${new URLSearchParams({ ...(several && { view: name }), ...values })}`;
  const view = frame(figure, data, data.state, {
    sentence: figure.querySelector(".so-sentence"),
    moved(state) {
      show();
      history.replaceState(history.state, "", link(state));
    },
    preset(values) {
      const node = element("a");
      node.href = link(values);
      return node;
    },
  });

  function show() {
    const state = view.state();
    const index = data.controls.reduce((at, control) => at * control.values.length + control.values.indexOf(state[control.name]), 0);
    view.show(decode(data.scenes[index]));
  }

  // Obey a state from the address; true where it concerns this explorer.
  function obey(values) {
    if ("view" in values && values.view !== name && !data.controls.some((control) => control.name === "view")) return false;
    const wanted = view.snap(values);
    if (!Object.keys(wanted).length) return false;
    view.set(wanted);
    show();
    return true;
  }

  show();
  return { figure, obey };
}

function main() {
  const figures = [...document.querySelectorAll("figure.so-explorer")];
  if (!figures.length) return;
  document.head.append(element("style", "", css));
  const explorers = figures.map((figure) => start(figure, figures.length > 1));
  const follow = () => {
    if (!location.hash.includes("=")) return;
    const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    explorers.filter((explorer) => explorer.obey(values))[0]?.figure.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", follow);
  follow();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
