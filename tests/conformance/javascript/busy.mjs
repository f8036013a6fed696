// Another process holds the database for longer than the server waits: reads go on, writes are told why.

import assert from "node:assert/strict";
import { test } from "node:test";

import { everyAnswerWasWellFormed, refused, stranger } from "./support.mjs";

test("503 unavailable", async () => {
  const posts = stranger().collection("posts");

  await refused(posts.create({ title: "Hello" }), { code: "unavailable", status: 503 });

  assert.deepEqual(await posts.list(), []);
});

everyAnswerWasWellFormed();
