// Records of a public collection: what goes in comes out, and what may not go in is said field by field.

import assert from "node:assert/strict";
import { test } from "node:test";

import { everyAnswerWasWellFormed, pause, refused, stranger, TIMESTAMP, UUID } from "./support.mjs";

const posts = stranger().collection("posts");
const FIELDS = ["title", "content", "views", "score", "published", "due", "tags", "slug", "cover"];

test("a record has an id, its times, and every field in the order of the definition", async () => {
  const record = await posts.create({ content: "World", title: "Hello" });

  assert.deepEqual(Object.keys(record), ["id", "createdAt", "updatedAt", ...FIELDS]);
  assert.match(record.id, new RegExp(`^rec_${UUID}$`));
  assert.match(record.createdAt, TIMESTAMP);
  assert.equal(record.updatedAt, record.createdAt);
  assert.deepEqual([record.title, record.content, record.views], ["Hello", "World", null]);
});

test("create, get, list, update and delete", async () => {
  const created = await posts.create({ title: "Hello", views: 1 });
  assert.deepEqual(await posts.get(created.id), created);
  assert.deepEqual(
    (await posts.list()).find(({ id }) => id === created.id),
    created,
  );

  await pause(5);
  const updated = await posts.update(created.id, { title: "Changed" });
  const { updatedAt } = updated;
  assert.deepEqual(updated, { ...created, title: "Changed", updatedAt });
  assert.ok(updatedAt > created.updatedAt);
  assert.deepEqual(await posts.get(created.id), updated);

  assert.equal(await posts.delete(created.id), undefined);
  const gone = { code: "not_found", status: 404, message: `Record "${created.id}" not found` };
  await refused(posts.get(created.id), gone);
  await refused(posts.update(created.id, { title: "Hello" }), gone);
  await refused(posts.delete(created.id), gone);
});

test("values of every type read back equal", async () => {
  const values = {
    title: "Zoë's “ß” 😀 \u0000 \\ \" end",
    content: " \n\t ",
    views: Number.MAX_SAFE_INTEGER,
    score: 0.1,
    published: false,
    due: new Date(86_400_000).toISOString(),
    tags: { a: [1, 2.5, null, { ü: "☃" }], b: true },
    slug: "read-back",
  };

  const created = await posts.create(values);
  const read = await posts.get(created.id);

  for (const [name, value] of Object.entries(values)) assert.deepEqual(read[name], value, name);
  await posts.delete(created.id);
});

test("dates as programs write them are taken and given back as they were", async () => {
  for (const due of [
    "2026-11-23T16:05:48.347Z",
    "2026-11-23T16:05:48.347123",
    "2026-11-23",
    "2026-11-23 16:05",
    "2026-11-23T16:05:48+02:00",
  ]) {
    assert.equal((await posts.create({ title: "Dated", due })).due, due);
  }
});

test("numbers that are integers stay so", async () => {
  const record = await posts.create({ title: "Numbers", views: 3.0, score: 3.0 });

  assert.deepEqual([record.views, record.score], [3, 3]);
  assert.ok(Object.is((await posts.create({ title: "Zero", score: -0 })).score, 0));
});

test("all faults of a record come at once, in the order of the fields", async () => {
  const faulty = { content: 1, views: -1, published: "yes", due: "2026-02-30", slug: "No Slug" };

  await refused(posts.create(faulty), {
    code: "validation_error",
    status: 400,
    message: "Validation failed",
    details: [
      { field: "title", rule: "required", message: 'Field "title" is required' },
      { field: "content", rule: "type", message: 'Field "content" must be a string' },
      { field: "views", rule: "min", message: 'Field "views" must be at least 0' },
      { field: "published", rule: "type", message: 'Field "published" must be a boolean' },
      { field: "due", rule: "type", message: 'Field "due" must be a valid ISO-8601 datetime' },
      { field: "slug", rule: "regex", message: 'Field "slug" does not match required pattern' },
    ],
  });
});

test("the rules for length, files and uniqueness have their words", async () => {
  await posts.create({ title: "First", slug: "taken" });

  for (const [values, field, rule, message] of [
    [{ title: "x" }, "title", "min", 'Field "title" must be at least 2 characters'],
    [{ title: "x".repeat(81) }, "title", "max", 'Field "title" must be at most 80 characters'],
    [{ title: "Hello", slug: "taken" }, "slug", "unique", 'Field "slug" must be unique'],
    [{ title: "Hello", views: 1.5 }, "views", "type", 'Field "views" must be an integer'],
    [{ title: "Hello", score: "1" }, "score", "type", 'Field "score" must be a number'],
    [{ title: "Hello", tags: 1 }, "tags", "type", 'Field "tags" must be a JSON value'],
    [
      { title: "Hello", cover: "fil_none" },
      "cover",
      "exists",
      'Field "cover" references unknown file "fil_none"',
    ],
  ]) {
    const details = [{ field, rule, message }];
    await refused(posts.create(values), { code: "validation_error", status: 400, details });
  }
});

test("an update checks and changes only what it names", async () => {
  const created = await posts.create({ title: "Hello", content: "World", views: 1 });

  const cleared = await posts.update(created.id, { content: null });
  assert.deepEqual([cleared.content, cleared.title, cleared.views], [null, "Hello", 1]);
  const required = { field: "title", rule: "required", message: 'Field "title" is required' };
  await refused(posts.update(created.id, { title: null }), {
    code: "validation_error",
    details: [required],
  });
  assert.deepEqual(await posts.get(created.id), cleared);
});

test("an update that names no field changes nothing, not even the time", async () => {
  const created = await posts.create({ title: "Hello" });
  await pause(5);

  assert.deepEqual(await posts.update(created.id, {}), created);
  assert.deepEqual(await posts.update(created.id, { unknown: 1 }), created);
});

test("unknown keys and those of the system are dropped", async () => {
  const sent = {
    title: "Hello",
    unknown: 1,
    id: "rec_mine",
    createdAt: "1999-01-01T00:00:00.000Z",
    updatedAt: "1999-01-01T00:00:00.000Z",
  };

  const created = await posts.create(sent);
  const updated = await posts.update(created.id, { ...sent, title: "Again" });

  for (const record of [created, updated]) {
    assert.match(record.id, /^rec_[0-9a-f-]{36}$/);
    assert.ok(record.createdAt > "2000");
    assert.ok(!("unknown" in record));
  }
  assert.equal(updated.createdAt, created.createdAt);
});

test("a list has everything, the newest first", async () => {
  const notes = stranger().collection("public_notes");
  const wanted = 1_100;
  const texts = Array.from({ length: wanted }, (_, number) => `note ${number}`);
  const waiting = [...texts];
  const worker = async () => {
    while (waiting.length > 0) await notes.create({ text: waiting.pop() });
  };
  await Promise.all(Array.from({ length: 8 }, worker));

  const items = await notes.list();

  assert.deepEqual(items.map(({ text }) => text).sort(), texts.sort());
  const order = items.map(({ createdAt, id }) => `${createdAt} ${id}`);
  assert.deepEqual(order, [...order].sort().reverse());
});

test("an empty collection is an empty list", async () => {
  assert.deepEqual(await stranger().collection("empty_notes").list(), []);
});

everyAnswerWasWellFormed();
