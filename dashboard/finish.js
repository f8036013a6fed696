// Makes the build ready to be served by Bakend: nothing inline, the notes of those whose code is in it,
// and the file that makes its folder a Python package. `node finish.js FOLDER` also puts it there.

import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const BUILD = "build";
const TARGET = process.argv[2];

/** Those of which code ends up in the browser. */
const PACKAGES = [
  ...["svelte", "@sveltejs/kit", "@lucide/svelte", "clsx", "devalue", "esm-env"],
  ...["commands", "lang-json", "language", "state", "view"].map((name) => `@codemirror/${name}`),
  ...["common", "highlight", "json", "lr"].map((name) => `@lezer/${name}`),
  ...["@marijn/find-cluster-break", "crelt", "style-mod", "w3c-keyname"],
];
const WITHOUT_A_FILE = { "esm-env": "MIT licence, https://github.com/benmccann/esm-env" };

// The policy allows scripts from files of ours only, so the one that SvelteKit writes into the page goes into one.
const index = join(BUILD, "index.html");
const page = readFileSync(index, "utf8");
const found = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
if (found.length !== 1) throw new Error(`the page has ${found.length} inline scripts, not one`);
const [element, script] = found[0];
const name = `_app/immutable/boot.${createHash("sha256").update(script).digest("hex").slice(0, 8)}.js`;
writeFileSync(
  join(BUILD, name),
  `${script
    .trim()
    .split("\n")
    .map((line) => line.trim())
    .join("\n")}\n`,
);
writeFileSync(
  index,
  page.replace(element, () => `<script src="/_/${name}"></script>`),
);

const notes = PACKAGES.map((each) => {
  const folder = join("node_modules", each);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = ["LICENSE", "LICENSE.md", "license"]
    .map((name) => join(folder, name))
    .find(existsSync);
  if (!file && !(each in WITHOUT_A_FILE)) throw new Error(`${each} has no licence file`);
  const text = file ? readFileSync(file, "utf8").trim() : WITHOUT_A_FILE[each];
  return `${each} ${version}\n\n${text}\n`;
});
writeFileSync(join(BUILD, "licenses.txt"), notes.join(`\n${"-".repeat(78)}\n\n`));

writeFileSync(
  join(BUILD, "__init__.py"),
  `"""The dashboard's files, served under \`/_\`: this module only makes their folder a package."""\n`,
);

if (TARGET) {
  mkdirSync(TARGET, { recursive: true });
  for (const entry of readdirSync(TARGET)) {
    if (entry !== "__pycache__") rmSync(join(TARGET, entry), { recursive: true });
  }
  cpSync(BUILD, TARGET, { recursive: true });
}
