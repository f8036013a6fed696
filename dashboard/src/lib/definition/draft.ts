// A definition while it is edited.

import {
  OPERATIONS,
  type Definition,
  type FieldDefinition,
  type FieldType,
  type Operation,
  type Rule,
} from "$lib/api";

export interface FieldDraft {
  /** Tells fields apart while their names change. */
  key: number;
  /** The field as the server has it; null for a new one. */
  original: FieldDefinition | null;
  name: string;
  type: FieldType;
  required: boolean;
  unique: boolean;
  min: string;
  max: string;
  regex: string;
  collection: string;
  /** What records get that have no value, as it is typed. */
  backfill: string;
}

export interface DefinitionDraft {
  name: string;
  fields: FieldDraft[];
  rules: Record<Operation, Rule>;
  /** What the definition has beside that. */
  rest: Record<string, unknown>;
}

const NUMBERS: FieldType[] = ["integer", "float"];
const TEXTS: FieldType[] = ["string", "text"];
export const hasLimits = (type: FieldType) => [...NUMBERS, ...TEXTS].includes(type);
export const hasRegex = (type: FieldType) => TEXTS.includes(type);
export const hasUnique = (type: FieldType) => type !== "json";

let lastKey = 0;

export function newField(): FieldDraft {
  return {
    key: ++lastKey,
    original: null,
    name: "",
    type: "string",
    required: false,
    unique: false,
    min: "",
    max: "",
    regex: "",
    collection: "",
    backfill: "",
  };
}

export function draftOf(definition: Definition | null): DefinitionDraft {
  const { name = "", fields = [], permissions = {}, ...rest } = definition ?? {};
  // What the server takes where a rule is missing: for one that is there "public", for a new one "admin".
  const missing: Rule = definition ? "public" : "admin";
  return {
    name,
    fields: fields.map((field) => ({ ...fieldDraft(field), original: field })),
    rules: Object.fromEntries(
      OPERATIONS.map((operation) => [operation, permissions[operation] ?? missing]),
    ) as Record<Operation, Rule>,
    rest,
  };
}

function fieldDraft(field: FieldDefinition): FieldDraft {
  return {
    ...newField(),
    name: field.name,
    type: field.type,
    required: field.required === true,
    unique: field.unique === true,
    min: typeof field.min === "number" ? String(field.min) : "",
    max: typeof field.max === "number" ? String(field.max) : "",
    regex: field.regex ?? "",
    collection: field.collection ?? "",
  };
}

/** Take a definition that was pasted over the one that is edited; fields of the same name stay the same. */
export function merged(draft: DefinitionDraft, pasted: Definition): DefinitionDraft {
  const before = new Map(
    draft.fields.filter((field) => field.original).map((field) => [field.original!.name, field]),
  );
  const fresh = draftOf(pasted);
  return {
    ...fresh,
    fields: fresh.fields.map((field) => {
      const from = field.original?.renamedFrom;
      const original =
        before.get(field.name)?.original ?? (from ? before.get(from)?.original : null);
      const backfill = field.original?.backfill;
      return {
        ...field,
        original: original ?? null,
        backfill: backfill === undefined || backfill === null ? "" : written(backfill),
      };
    }),
  };
}

const written = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** Return the definition that a draft stands for. */
export function definitionOf(draft: DefinitionDraft): Definition {
  return {
    name: draft.name.trim(),
    ...draft.rest,
    fields: draft.fields.map(fieldOf),
    permissions: draft.rules,
  };
}

function fieldOf(draft: FieldDraft): FieldDefinition {
  // Keys that this editor does not know stay as they are.
  const { original } = draft;
  const field: FieldDefinition = { ...original, name: draft.name.trim(), type: draft.type };
  put(field, "required", draft.required || undefined);
  put(field, "unique", (draft.unique && hasUnique(draft.type)) || undefined);
  put(field, "min", hasLimits(draft.type) ? numberOf(draft.min) : undefined);
  put(field, "max", hasLimits(draft.type) ? numberOf(draft.max) : undefined);
  put(field, "regex", (hasRegex(draft.type) && draft.regex) || undefined);
  put(field, "collection", draft.type === "relation" ? draft.collection : undefined);
  if (original && original.name !== field.name) field.renamedFrom = original.name;
  if (needsBackfill(draft) && draft.backfill !== "") field.backfill = backfillOf(draft);
  return field;
}

function put(field: FieldDefinition, key: string, value: unknown): void {
  if (value !== undefined) field[key] = value;
  else if (field[key] !== undefined && field[key] !== null && field[key] !== false)
    delete field[key];
}

/** Return the number that is typed; what is none goes to the server as it is, which says so. */
function numberOf(text: string): number | undefined {
  if (text.trim() === "") return undefined;
  const found = Number(text);
  return (Number.isNaN(found) ? text : found) as number;
}

export function needsBackfill(draft: FieldDraft): boolean {
  return draft.required && draft.original?.required !== true;
}

function backfillOf(draft: FieldDraft): unknown {
  if (
    draft.type === "integer" ||
    draft.type === "float" ||
    draft.type === "boolean" ||
    draft.type === "json"
  ) {
    try {
      return JSON.parse(draft.backfill);
    } catch {
      return draft.backfill;
    }
  }
  return draft.backfill;
}
