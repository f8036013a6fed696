// A client that is subscribed while its server is stopped and started again. Says "ready" when it is time
// for that, and goes on when it is sent a line.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { everyAnswerWasWellFormed, listen, newUser, settled } from "./support.mjs";

test("a subscription outlasts a restart", async () => {
  const { client } = await newUser();
  const notes = client.collection("owner_notes");
  const heard = listen(client, "owner_notes.created");
  await settled(client);
  const before = await notes.create({ text: "before" });
  assert.deepEqual((await heard.next(1))[0].payload, before);

  process.stdout.write("ready\n");
  await once(process.stdin, "data");
  process.stdin.destroy();

  await settled(client);
  const after = await notes.create({ text: "after" });
  assert.deepEqual((await heard.next(2))[1].payload, after);
  client.realtime.disconnect();
});

everyAnswerWasWellFormed();
