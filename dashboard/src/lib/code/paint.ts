// Colours for code that is only read: words are told apart, nothing is parsed. The editor has a parser of its own.

export type Language = "json" | "python" | "javascript" | "shell" | "log";

/** A piece of a text and the class it gets, none for what is as everything. */
export type Piece = [text: string, look: string];

/** What is longer is shown as it is: thousands of elements make a page slow. */
const LONGEST = 50_000;

type Rules = [look: string, pattern: string][];

const NUMBER: Rules[number] = ["number", String.raw`\b\d[\w.]*\b`];
const words = (text: string): string => `\\b(?:${text.replaceAll(" ", "|")})\\b`;
const STRING = String.raw`"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'`;

/** The first that fits at a place is taken. */
const LANGUAGES: Record<Exclude<Language, "log">, Rules> = {
  json: [
    ["propertyName", String.raw`"(?:[^"\\\n]|\\.)*"(?=\s*:)`],
    ["string", String.raw`"(?:[^"\\\n]|\\.)*"`],
    ["number", String.raw`-?\b\d[\d.eE+-]*`],
    ["keyword", words("true false null")],
  ],
  python: [
    ["comment", "#.*"],
    ["string", String.raw`(?:\b[rbfRBF]{1,2})?(?:"""[^]*?"""|'''[^]*?'''|${STRING})`],
    ["meta", String.raw`@[\w.]+`],
    ["function", String.raw`(?<=\b(?:def|class) )\w+`],
    [
      "keyword",
      words(
        "and as assert async await break class continue def del elif else except False finally for from global if" +
          " import in is lambda None nonlocal not or pass raise return True try while with yield",
      ),
    ],
    NUMBER,
  ],
  javascript: [
    ["comment", String.raw`//.*|/\*[^]*?\*/`],
    ["string", String.raw`${STRING}|` + "`(?:[^`\\\\]|\\\\.)*`"],
    [
      "keyword",
      words(
        "async await break case catch class const continue default delete do else export extends false finally for" +
          " from function if import in instanceof let new null of return static super switch this throw true try" +
          " typeof undefined var void while yield",
      ),
    ],
    ["function", String.raw`\b[A-Za-z_$][\w$]*(?=\()`],
    NUMBER,
  ],
  shell: [
    ["comment", String.raw`(?<=^|\s)#.*`],
    ["string", String.raw`"(?:[^"\\]|\\.)*"|'[^']*'`],
    ["keyword", String.raw`^[A-Za-z][\w./-]*(?=\s|$)`],
    ["propertyName", String.raw`\$\w+|^\w+(?==)`],
    ["number", String.raw`(?<=\s)--?[A-Za-z][\w-]*`],
  ],
};

const made = new Map<string, RegExp>();

function pattern(language: Exclude<Language, "log">): RegExp {
  let found = made.get(language);
  if (!found) {
    found = new RegExp(LANGUAGES[language].map(([, each]) => `(${each})`).join("|"), "gm");
    made.set(language, found);
  }
  return found;
}

/** Return a text in pieces, which joined are the text again. */
export function paint(text: string, language: Language | undefined): Piece[] {
  if (!language || text.length > LONGEST) return [[text, ""]];
  return language === "log" ? log(text) : code(text, language);
}

function code(text: string, language: Exclude<Language, "log">): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of text.matchAll(pattern(language))) {
    if (found.index > end) pieces.push([text.slice(end, found.index), ""]);
    const rule = found.findIndex((group, index) => index > 0 && group !== undefined) - 1;
    pieces.push([found[0], `tok-${LANGUAGES[language][rule]![0]}`]);
    end = found.index + found[0].length;
  }
  if (end < text.length) pieces.push([text.slice(end), ""]);
  return pieces;
}

const FRAME = /^(\s*File ")(.*)(", line )(\d+)(, in )?(.*)$/;
const FOREIGN = /\/(?:site-packages|dist-packages|lib\/python3\.\d+)\/|^\/proc\/self\/exe|^</;
/** What stands before the last folder of that name is where the project lies. */
const OWN_FOLDER = /\/(?:functions|jobs)\/(?!.*\/(?:functions|jobs)\/)/;
const LEVEL = /^(DEBUG|INFO|WARN|ERROR|CRITICAL)(?= )/;
const LEVELS: Record<string, string> = {
  WARN: "tok-number",
  ERROR: "tok-error",
  CRITICAL: "tok-error",
};
const HEADING =
  /^\s*(?:Traceback \(most recent call last\):|During handling of |The above exception )/;
const MARK = /^\s*[~^]+\s*$/;

/** What a handler has said, and a traceback below it: frames of one's own stand out, the others stand back. */
function log(text: string): Piece[] {
  const pieces: Piece[] = [];
  let frame: "own" | "foreign" | undefined;
  /** How far the heading of the traceback is indented: what stands there again ends it. */
  let indent: number | undefined;
  for (const line of text.split(/(?<=\n)/)) {
    const shown = line.trimEnd();
    const rest = line.slice(shown.length);
    const begin = shown.length - shown.trimStart().length;
    const found = FRAME.exec(shown);
    if (HEADING.test(shown)) {
      indent = begin;
      frame = undefined;
      pieces.push([line, "tok-comment"]);
    } else if (found) {
      const [, before, path, between, number, link = "", name] = found;
      frame = FOREIGN.test(path!) ? "foreign" : "own";
      indent ??= begin - 2; // what does not load is told without a heading
      if (frame === "foreign") pieces.push([line, "tok-comment"]);
      else {
        const at = path!.search(OWN_FOLDER) + 1;
        pieces.push([before! + path!.slice(0, at), "tok-comment"]);
        pieces.push([path!.slice(at), "tok-string tok-own"]);
        pieces.push([between!, "tok-comment"], [number!, "tok-number tok-own"]);
        pieces.push([link, "tok-comment"], [name!, "tok-function"], [rest, ""]);
      }
    } else if (frame === "own" && MARK.test(shown)) pieces.push([line, "tok-error"]);
    else if (frame && begin > indent!)
      pieces.push(...(frame === "own" ? code(line, "python") : [[line, "tok-comment"] as Piece]));
    else if (frame && shown) {
      // The error itself: its name, and what it says.
      const name = /^\s*[\w.]+(?=:|$)/.exec(shown)?.[0] ?? "";
      pieces.push([name, "tok-error tok-own"], [shown.slice(name.length), "tok-error"], [rest, ""]);
      frame = indent = undefined;
    } else {
      const level = LEVEL.exec(shown)?.[0] ?? "";
      pieces.push([level, LEVELS[level] ?? "tok-comment"], [line.slice(level.length), ""]);
    }
  }
  return pieces.filter(([piece]) => piece);
}
