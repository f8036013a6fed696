// Access tokens that expire while several requests are under way. The server gives them 3 seconds.

import assert from "node:assert/strict";
import { test } from "node:test";

import { everyAnswerWasWellFormed, expiry, newUser, requestsOf } from "./support.mjs";

const EXPIRED = "GET /api/authenticated_notes 401";
const REFRESHED = "POST /api/auth/refresh 200";

test("an expired token is renewed, and the call answered", async () => {
  const { client, store, user } = await newUser();
  await expiry(store.token);

  const made = await requestsOf(async () => assert.deepEqual(await client.auth.getMe(), user));

  assert.equal(made[0], "GET /api/auth/me 401");
  assert.equal(made.at(-1), "GET /api/auth/me 200");
});

test("three lists at once with an expired token all succeed", async () => {
  const { client, store } = await newUser();
  const notes = client.collection("authenticated_notes");
  const { id } = await notes.create({ text: "here" });
  await expiry(store.token);

  let lists;
  const made = await requestsOf(async () => {
    lists = await Promise.all([notes.list(), notes.list(), notes.list()]);
  });

  for (const items of lists) assert.ok(items.some((item) => item.id === id));
  assert.deepEqual(
    [EXPIRED, REFRESHED].map((line) => made.filter((each) => each === line).length),
    [3, 3],
  );
});

test("many calls of every kind at once with an expired token all succeed", async () => {
  const { client, store, user } = await newUser();
  const notes = client.collection("authenticated_notes");
  const { id } = await notes.create({ text: "first" });
  await expiry(store.token);

  const answers = await Promise.all([
    client.auth.getMe(),
    notes.get(id),
    ...Array.from({ length: 6 }, (_, number) => notes.create({ text: `note ${number}` })),
    notes.update(id, { text: "changed" }),
    notes.list(),
  ]);

  assert.equal(answers[0].id, user.id);
  assert.ok(answers.at(-1).length > 0);
});

test("after all that refreshing the session is not taken for a stolen one", async () => {
  const { client, store, user } = await newUser();
  for (let round = 0; round < 2; round += 1) {
    await expiry(store.token);
    await Promise.all([client.auth.getMe(), client.auth.getMe(), client.auth.getMe()]);
  }

  assert.equal((await client.auth.refresh()).id, user.id);
  await client.auth.logout();
});

everyAnswerWasWellFormed();
