// "Present": the sections of the article become slides in an overlay. Their nodes are moved there, not copied, so that
// explorers stay alive, and moved back on leaving.
import Reveal from "reveal.js";
import core from "reveal.js/reveal.css";
import css from "./slides.css";

const SIZE = { width: 1200, height: 760, margin: 0.03 };

function main() {
  const article = document.querySelector("article section")?.parentElement;
  const heading = article?.querySelector("h1");
  if (!heading) return;
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "so-present", textContent: "Present" });
  button.addEventListener("click", () => present(article, button));
  heading.after(button);
  style(css);
}

function style(text) {
  const node = document.createElement("style");
  node.textContent = text;
  document.head.append(node);
  return node;
}

async function present(article, button) {
  const overlay = document.createElement("div");
  overlay.className = "so-slides";
  overlay.innerHTML = '<div class="reveal" tabindex="-1"><div class="slides"></div></div>';
  const moved = [];
  for (const section of article.querySelectorAll("section")) {
    const slide = document.createElement("section");
    for (const node of [...section.children]) {
      if (node.tagName === "SECTION" || node === button) continue;
      const place = document.createComment("slide");
      node.replaceWith(place);
      moved.push([node, place]);
      slide.append(node);
    }
    if (slide.children.length) overlay.querySelector(".slides").append(slide);
  }
  const sheet = style(core);
  document.head.prepend(sheet); // the page's own styles win
  document.body.append(overlay);
  const deck = new Reveal(overlay.firstChild, {
    ...SIZE,
    embedded: true,
    hash: false,
    center: false,
    transition: "none",
    keyboard: { 27: leave },
  });

  function leave() {
    for (const [node, place] of moved) place.replaceWith(node);
    deck.destroy();
    overlay.remove();
    sheet.remove();
    button.focus();
  }

  await deck.initialize();
  overlay.firstChild.focus();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
