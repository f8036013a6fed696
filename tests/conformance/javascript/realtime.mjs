// Realtime as the client has it: it subscribes by itself, twice at first, and looks at events only.

import assert from "node:assert/strict";
import { test } from "node:test";

import { administrator, everyAnswerWasWellFormed, listen, newUser, settled, stranger } from "./support.mjs";

test("a created, an updated and a deleted record are told, in order", async () => {
  const { client } = await newUser();
  const heard = listen(client, "owner_notes.*");
  await settled(client);

  const notes = client.collection("owner_notes");
  const note = await notes.create({ text: "one" });
  const changed = await notes.update(note.id, { text: "two" });
  await notes.delete(note.id);

  const [created, updated, deleted] = await heard.next(3);
  assert.deepEqual([created.type, created.source], ["owner_notes.created", "collections"]);
  assert.deepEqual(created.payload, note);
  assert.deepEqual(updated.payload, changed);
  assert.deepEqual([deleted.type, deleted.payload], ["owner_notes.deleted", { id: note.id }]);
  assert.match(created.id, /^evt_/);
  client.realtime.disconnect();
});

test("nothing comes of others, nor of accounts to who is nobody", async () => {
  const [ada, bob, nobody] = [(await newUser()).client, (await newUser()).client, stranger()];
  const admin = await administrator();
  const heard = [
    listen(bob, "owner_notes.*"),
    listen(nobody, "owner_notes.*"),
    listen(nobody, "auth.*"),
  ];
  const all = listen(admin, "auth.register");
  for (const client of [bob, nobody, admin]) await settled(client);

  await ada.collection("owner_notes").create({ text: "Ada's" });
  const { user, client } = await newUser();

  assert.deepEqual((await all.next(1))[0].payload, user);
  for (const each of [bob, nobody]) await settled(each);
  assert.deepEqual(
    heard.map(({ seen }) => seen),
    [[], [], []],
  );
  for (const each of [bob, nobody, admin, client]) each.realtime.disconnect();
});

test("who has unsubscribed hears nothing more", async () => {
  const { client } = await newUser();
  const heard = listen(client, "authenticated_notes.*");
  await settled(client);
  await client.collection("authenticated_notes").create({ text: "one" });
  await heard.next(1);

  heard.stop();
  await client.collection("authenticated_notes").create({ text: "two" });
  await settled(client);

  assert.equal(heard.seen.length, 1);
  client.realtime.disconnect();
});

everyAnswerWasWellFormed();
