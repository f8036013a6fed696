// Where a file is used: records of collections with a field of type file that name it.

import { records, type Collection } from "$lib/api";

const READ_AT_MOST = 1_000;

export interface Use {
  collection: string;
  field: string;
  id: string;
}

/** Return the records that name a file, among the newest of each collection, and whether some were not looked at. */
export async function usesOf(
  file: string,
  collections: Collection[],
  signal: AbortSignal,
): Promise<{ uses: Use[]; isPartial: boolean }> {
  const uses: Use[] = [];
  let isPartial = false;
  for (const { name, definition, broken } of collections) {
    const fields = (definition?.fields ?? []).filter((field) => field.type === "file");
    if (broken || !fields.length) continue;
    const page = await records.page(name, { limit: READ_AT_MOST, count: true }, signal);
    isPartial ||= page.total > page.items.length;
    for (const row of page.items) {
      for (const field of fields) {
        if (row[field.name] === file)
          uses.push({ collection: name, field: field.name, id: row.id });
      }
    }
  }
  return { uses, isPartial };
}
