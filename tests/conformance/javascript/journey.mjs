// The way of one user from the first to the last call: register, me, records, files, refresh, logout.

import assert from "node:assert/strict";
import { test } from "node:test";

import { everyAnswerWasWellFormed, newEmail, PASSWORD, refused, requestsOf, stranger } from "./support.mjs";

test("register, me, CRUD, upload, download, refresh, logout", async () => {
  const client = stranger();

  const made = await requestsOf(async () => {
    const user = await client.auth.register({ email: newEmail(), password: PASSWORD });
    assert.deepEqual(await client.auth.getMe(), user);

    const notes = client.collection("owner_notes");
    const note = await notes.create({ text: "Zoë ☃" });
    assert.equal(note.user_id, user.id);
    assert.deepEqual(await notes.get(note.id), note);
    assert.deepEqual(await notes.list(), [note]);
    assert.equal((await notes.update(note.id, { text: "changed" })).text, "changed");
    await refused(notes.create({}), { code: "validation_error", status: 400 });

    const bytes = new Uint8Array(100_000).fill(200);
    const file = await client.storage.upload(new Blob([bytes]), { filename: "größe.bin" });
    assert.deepEqual([file.filename, file.size], ["größe.bin", bytes.length]);
    const download = await client.storage.download(file.id);
    assert.deepEqual(new Uint8Array(await download.arrayBuffer()), bytes);
    await client.storage.delete(file.id);
    await notes.delete(note.id);

    const before = client.auth.refreshToken;
    assert.deepEqual(await client.auth.refresh(), user);
    assert.notEqual(client.auth.refreshToken, before);
    assert.deepEqual(await client.auth.getMe(), user);

    await client.auth.logout();
    assert.equal(client.auth.token, null);
    await refused(client.auth.getMe(), { code: "unauthorized", status: 401 });
  });

  assert.deepEqual(
    made.map((line) => line.replace(/(rec|fil)_[0-9a-f-]+/, "$1")),
    [
      "POST /api/auth/register 201",
      "GET /api/auth/me 200",
      "POST /api/owner_notes 201",
      "GET /api/owner_notes/rec 200",
      "GET /api/owner_notes 200",
      "PUT /api/owner_notes/rec 200",
      "POST /api/owner_notes 400",
      "POST /api/storage/upload 201",
      "GET /api/storage/fil 200",
      "DELETE /api/storage/fil 204",
      "DELETE /api/owner_notes/rec 204",
      "POST /api/auth/refresh 200",
      "GET /api/auth/me 200",
      "POST /api/auth/logout 204",
      "GET /api/auth/me 401",
    ],
  );
});

everyAnswerWasWellFormed();
