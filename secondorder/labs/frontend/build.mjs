// Bundles src/ into ../static/, each bundle with the licences of what it contains, and puts MathJax beside them.
import { build } from "esbuild";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";

const out = "../static";

async function bundle(name, format) {
  const outfile = `${out}/${name}.js`;
  const { metafile } = await build({
    entryPoints: [`src/${name}.js`],
    outfile,
    format,
    bundle: true,
    minify: true,
    metafile: true,
    charset: "utf8",
    target: "es2022",
    legalComments: "none", // they stand below, in full
    loader: { ".css": "text" },
    logLevel: "info",
  });
  await appendFile(outfile, await notices(Object.keys(metafile.inputs)));
}

async function notices(files) {
  const names = files.map((file) => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean);
  const holders = {}; // licence text: packages
  for (const name of [...new Set(names)].sort()) (holders[await licence(name)] ??= []).push(name);
  const parts = Object.entries(holders).map(([text, packages]) => `${packages.join(", ")}:\n${text.trim()}`);
  return parts.length ? `/*!\nThis file contains\n\n${parts.join("\n\n")}\n*/\n` : "";
}

async function licence(name) {
  const file = (await readdir(`node_modules/${name}`)).find((file) => /^licen[cs]e/i.test(file));
  if (!file) throw new Error(`node_modules/${name} has no licence file`);
  return readFile(`node_modules/${name}/${file}`, "utf8");
}

await mkdir(`${out}/mathjax`, { recursive: true });
await bundle("explorer", "esm");
await bundle("page", "iife");
await bundle("slides", "iife");
// "full" has every TeX package inside and loads none later.
const mathjax = await readFile("node_modules/mathjax/es5/tex-svg-full.js", "utf8");
await writeFile(`${out}/mathjax/mathjax.js`, `/*! MathJax, Apache License 2.0 */\n${mathjax}`);
