/** Return the short name of a handler, and what it runs on: "functions/a.py:notify@posts.created" is notify. */
export function partsOf(name: string): { short: string; rest: string } {
  const found = /^(.+\.py):([^@]+)(?:@(.*))?$/.exec(name);
  if (!found) return { short: name, rest: "" };
  return { short: found[2]!, rest: found[3] || found[1]! };
}
