// A client that lives on while its server is stopped and started again. Says "ready" when it is time for
// that, and goes on when it is sent a line.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { everyAnswerWasWellFormed, newUser, requestsOf } from "./support.mjs";

test("tokens, records and connections outlast a restart", async () => {
  const { client, store, user } = await newUser();
  const notes = client.collection("owner_notes");
  const note = await notes.create({ text: "before" });
  const before = { ...store };

  process.stdout.write("ready\n");
  await once(process.stdin, "data");
  process.stdin.destroy();

  const made = await requestsOf(async () => {
    assert.deepEqual(await client.auth.getMe(), user);
    assert.deepEqual(await notes.list(), [note]);
  });
  assert.deepEqual(made, ["GET /api/auth/me 200", "GET /api/owner_notes 200"]);
  assert.equal(store.token, before.token);
  assert.equal((await client.auth.refresh()).id, user.id);
  assert.equal((await notes.update(note.id, { text: "after" })).text, "after");
  await client.auth.logout();
});

everyAnswerWasWellFormed();
