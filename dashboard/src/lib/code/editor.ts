// The editor of JSON. It is loaded when one is shown; see CodeField.svelte.

import {
  history,
  historyKeymap,
  indentLess,
  indentMore,
  standardKeymap,
} from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, RangeSet, StateField } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  GutterMarker,
  gutterLineClass,
  keymap,
  lineNumbers,
  placeholder,
  type DecorationSet,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { faultIn } from "./json";

export interface Options {
  parent: HTMLElement;
  text: string;
  /** What is selected at the beginning. */
  anchor: number;
  head: number;
  attributes: Record<string, string>;
  placeholder: string;
  changed: (text: string) => void;
  left: () => void;
}

export class CodeEditor {
  readonly #view: EditorView;
  readonly #attributes = new Compartment();

  constructor(options: Options) {
    const length = options.text.length;
    this.#view = new EditorView({
      parent: options.parent,
      state: EditorState.create({
        doc: options.text,
        selection: {
          anchor: Math.min(options.anchor, length),
          head: Math.min(options.head, length),
        },
        extensions: [
          lineNumbers(),
          history(),
          json(),
          syntaxHighlighting(classHighlighter),
          bracketMatching(),
          EditorView.lineWrapping,
          placeholder(options.placeholder),
          // Tab is not bound: it leaves the editor, as it does every other input.
          keymap.of([
            { key: "Mod-]", run: indentMore },
            { key: "Mod-[", run: indentLess },
            ...historyKeymap,
            ...standardKeymap,
          ]),
          EditorView.contentAttributes.of({ tabindex: "0" }), // as it is anyway; testers want it said
          faults,
          look,
          this.#attributes.of(EditorView.contentAttributes.of(options.attributes)),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) options.changed(this.text);
          }),
          EditorView.domEventHandlers({ blur: () => options.left() }),
        ],
      }),
    });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Put another text in the place of what is there; a cursor at its end stays at the end. */
  set text(to: string) {
    if (to === this.text) return;
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: to } });
  }

  label(attributes: Record<string, string>): void {
    this.#view.dispatch({
      effects: this.#attributes.reconfigure(EditorView.contentAttributes.of(attributes)),
    });
  }

  focus(): void {
    this.#view.focus();
  }

  destroy(): void {
    this.#view.destroy();
  }
}

interface Marked {
  text: DecorationSet;
  lines: RangeSet<GutterMarker>;
}

const faultyLine = new (class extends GutterMarker {
  override elementClass = "faulty";
})();

function marked(state: EditorState): Marked {
  const text = state.doc.toString();
  const fault = text.trim() ? faultIn(text) : undefined;
  if (!fault) return { text: Decoration.none, lines: RangeSet.empty };
  const mark = Decoration.mark({ class: "fault", attributes: { title: fault.what } });
  return {
    text: Decoration.set(mark.range(fault.from, fault.to)),
    lines: RangeSet.of(faultyLine.range(state.doc.lineAt(fault.from).from)),
  };
}

/** What is no JSON is underlined, and the number of its line marked, while it is typed. */
const faults = StateField.define<Marked>({
  create: marked,
  update: (value, { docChanged, state }) => (docChanged ? marked(state) : value),
  provide: (field) => [
    EditorView.decorations.from(field, (value) => value.text),
    gutterLineClass.from(field, (value) => value.lines),
  ],
});

/** Colours of what is read stand in styles/code.css. */
const look = EditorView.theme({
  "&": { height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "inherit", lineHeight: "inherit" },
  ".cm-content": { padding: "0.35rem 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 0.65rem 0 0.35rem" },
  ".cm-placeholder": { color: "var(--quiet)" },
  ".cm-gutters": {
    minWidth: "2.25rem",
    borderRight: "1px solid var(--line)",
    backgroundColor: "var(--sunken)",
    color: "var(--quiet)",
  },
  ".cm-lineNumbers": { flex: "1" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 0.35rem" },
  ".cm-gutterElement.faulty": { backgroundColor: "var(--bad-soft)", color: "var(--bad)" },
  ".fault": { textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "0.2em" },
  "&.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--accent-soft)",
    outline: "1px solid var(--accent)",
  },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--bad-soft)" },
});
