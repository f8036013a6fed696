// The API of one collection in code that runs as it stands.

import type { FieldDefinition } from "$lib/api";

export type Language = "curl" | "javascript" | "python";

/** Return a body that fits the definition, as far as one can be made up. */
export function sample(fields: FieldDefinition[]): Record<string, unknown> {
  const needed = fields.filter((field) => field.required);
  const chosen = needed.length
    ? needed
    : fields.filter((field) => !REFERENCES.includes(field.type)).slice(0, 3);
  return Object.fromEntries(chosen.map((field) => [field.name, value(field)]));
}

const REFERENCES = ["relation", "file"];

function value(field: FieldDefinition): unknown {
  const least = typeof field.min === "number" ? field.min : 0;
  const most = typeof field.max === "number" ? field.max : Infinity;
  switch (field.type) {
    case "integer":
    case "float":
      return Math.max(least, Math.min(1, most));
    case "boolean":
      return true;
    case "datetime":
      return "2026-12-24T18:00:00Z";
    case "json":
      return ["example"];
    case "relation":
      return field.collection === "users" ? "usr_…" : "rec_…";
    case "file":
      return "fil_…";
    default:
      return `example ${field.name}`.padEnd(least, "x").slice(0, most);
  }
}

export function examples(
  language: Language,
  origin: string,
  name: string,
  fields: FieldDefinition[],
): { title: "list" | "get" | "create" | "change" | "delete" | "live"; code: string }[] {
  const body = sample(fields);
  const first = Object.fromEntries(Object.entries(body).slice(0, 1));
  return MAKERS[language](origin, name, body, first);
}

type Body = Record<string, unknown>;
type Made = ReturnType<typeof examples>;

const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(origin: string, name: string, body: Body, first: Body): Made {
  const url = `${origin}/api/${name}`;
  const auth = `-H "Authorization: Bearer $TOKEN"`;
  const json = `-H 'Content-Type: application/json'`;
  return [
    { title: "list", code: `curl -s '${url}?limit=20&count=true' ${auth}` },
    { title: "get", code: `curl -s ${url}/$ID ${auth}` },
    {
      title: "create",
      code: `curl -s ${url} ${auth} ${json} \\\n  -d ${shell(JSON.stringify(body))}`,
    },
    {
      title: "change",
      code: `curl -s -X PUT ${url}/$ID ${auth} ${json} \\\n  -d ${shell(JSON.stringify(first))}`,
    },
    { title: "delete", code: `curl -s -X DELETE ${url}/$ID ${auth}` },
  ];
}

function javascript(origin: string, name: string, body: Body, first: Body): Made {
  return [
    {
      title: "list",
      code: `// npm install @bakend/client
import { BakendClient } from "@bakend/client";

const client = new BakendClient("${origin}");
await client.auth.login({ email: "you@example.com", password: "…" });

const ${name} = client.collection("${name}");
const found = await ${name}.list();`,
    },
    { title: "get", code: `const record = await ${name}.get(id);` },
    {
      title: "create",
      code: `const made = await ${name}.create(${JSON.stringify(body, null, 2)});`,
    },
    { title: "change", code: `await ${name}.update(id, ${JSON.stringify(first)});` },
    { title: "delete", code: `await ${name}.delete(id);` },
    {
      title: "live",
      code: `const socket = new WebSocket("${origin.replace(/^http/, "ws")}/api/realtime?token=" + token);
socket.onopen = () =>
  socket.send(JSON.stringify({ action: "subscribe", channel: "${name}.*" }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`,
    },
  ];
}

function python(origin: string, name: string, body: Body, first: Body): Made {
  return [
    {
      title: "list",
      code: `# only what Python brings with it
import json
import urllib.request

API = "${origin}/api"
TOKEN = ""


def ask(method, path, body=None):
    request = urllib.request.Request(
        API + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    if TOKEN:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


TOKEN = ask("POST", "/auth/login", {"email": "you@example.com", "password": "…"})["token"]
found = ask("GET", "/${name}?limit=20&count=true")`,
    },
    { title: "get", code: `record = ask("GET", f"/${name}/{id}")` },
    { title: "create", code: `made = ask("POST", "/${name}", ${literal(body)})` },
    { title: "change", code: `ask("PUT", f"/${name}/{id}", ${literal(first)})` },
    { title: "delete", code: `ask("DELETE", f"/${name}/{id}")` },
  ];
}

/** Return a value as Python writes it. */
function literal(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const items = Object.entries(value as Body).map(
      ([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`,
    );
    return `{${items.join(", ")}}`;
  }
  return JSON.stringify(value);
}

const MAKERS = { curl, javascript, python };
