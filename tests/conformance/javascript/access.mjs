// Who may do what: rules as the client meets them, and when it takes an answer for an expired token.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  administrator,
  everyAnswerWasWellFormed,
  newUser,
  openStore,
  refused,
  requestsOf,
  stranger,
} from "./support.mjs";

const UNAUTHORIZED = { code: "unauthorized", status: 401, message: "Authentication required" };
const FORBIDDEN = { code: "forbidden", status: 403, message: "Insufficient permissions" };
const GARBAGE = ["x", "a.b.c", "a.b.!!!", "h.p.sig==", "....", "ü", "null", "eyJhbGciOiJub25lIn0.e30."];

function notFound(id) {
  return { code: "not_found", status: 404, message: `Record "${id}" not found` };
}

test("a token that cannot be read never closes what is public", async () => {
  for (const garbage of GARBAGE) {
    // A browser refuses to send what is no Latin-1; the client's own error is not what is tried here.
    const store = openStore(garbage, "rt_nobody");
    const client = stranger({ authStore: store });

    const made = await requestsOf(async () => {
      assert.ok(Array.isArray(await client.collection("posts").list()));
    });

    assert.deepEqual(made, ["GET /api/posts 200"]);
    assert.equal(store.token, garbage);
    await refused(client.auth.getMe(), UNAUTHORIZED);
  }
});

test("403 never makes the client refresh or forget its tokens", async () => {
  const { client, store } = await newUser();
  const before = { ...store };

  const made = await requestsOf(() => refused(client.collection("admin_notes").list(), FORBIDDEN));

  assert.deepEqual(made, ["GET /api/admin_notes 403"]);
  assert.equal(store.token, before.token);
});

test("anonymous callers are told to log in, whether or not a record is there", async () => {
  const admin = await administrator();
  const anyone = stranger();
  for (const rule of ["authenticated", "owner", "admin"]) {
    const name = `${rule}_notes`;
    const { id } = await admin.collection(name).create({ text: "here" });
    const notes = anyone.collection(name);

    for (const each of [id, "rec_none"]) {
      await refused(notes.get(each), UNAUTHORIZED);
      await refused(notes.update(each, { text: "mine" }), UNAUTHORIZED);
      await refused(notes.delete(each), UNAUTHORIZED);
    }
    await refused(notes.list(), UNAUTHORIZED);
    await refused(notes.create({ text: "mine" }), UNAUTHORIZED);
  }
});

test("what is for administrators is 403 for users, whether or not a record is there", async () => {
  const admin = (await administrator()).collection("admin_notes");
  const { id } = await admin.create({ text: "here" });
  const notes = (await newUser()).client.collection("admin_notes");

  for (const each of [id, "rec_none"]) {
    await refused(notes.get(each), FORBIDDEN);
    await refused(notes.update(each, { text: "mine" }), FORBIDDEN);
    await refused(notes.delete(each), FORBIDDEN);
  }
  await refused(notes.create({ text: "mine" }), FORBIDDEN);
  assert.ok((await admin.list()).some((note) => note.id === id));
  assert.equal((await admin.update(id, { text: "changed" })).text, "changed");
  await admin.delete(id);
});

test("every user may do what is for those who are logged in", async () => {
  const first = (await newUser()).client.collection("authenticated_notes");
  const second = (await newUser()).client.collection("authenticated_notes");

  const { id } = await first.create({ text: "here" });

  assert.equal((await second.update(id, { text: "changed" })).text, "changed");
  await second.delete(id);
});

test("a list of what has owners holds the caller's own records", async () => {
  const [ada, bob, admin] = [await newUser(), await newUser(), await administrator()];
  const [hers, his] = [ada, bob].map(({ client }) => client.collection("owner_notes"));
  const note = await hers.create({ text: "Ada's" });
  const other = await his.create({ text: "Bob's" });

  assert.deepEqual([note.user_id, other.user_id], [ada.user.id, bob.user.id]);
  assert.deepEqual(await hers.list(), [note]);
  assert.deepEqual(await his.list(), [other]);
  const all = (await admin.collection("owner_notes").list()).map(({ id }) => id);
  assert.ok(all.includes(note.id) && all.includes(other.id));
});

test("what belongs to somebody else is not there", async () => {
  const [ada, bob] = [await newUser(), await newUser()];
  const [hers, his] = [ada, bob].map(({ client }) => client.collection("owner_notes"));
  const note = await hers.create({ text: "Ada's" });

  const made = await requestsOf(async () => {
    await refused(his.get(note.id), notFound(note.id));
    await refused(his.update(note.id, { text: "Bob's" }), notFound(note.id));
    await refused(his.delete(note.id), notFound(note.id));
  });

  assert.deepEqual(made.map((line) => line.slice(-3)), ["404", "404", "404"]);
  assert.deepEqual(await hers.get(note.id), note);
  assert.equal((await hers.update(note.id, { text: "still hers" })).text, "still hers");
  await hers.delete(note.id);
});

test("what everybody may read but only its owner change is 403 for others", async () => {
  const [ada, bob] = [await newUser(), await newUser()];
  const [hers, his] = [ada, bob].map(({ client }) => client.collection("articles"));
  const article = await hers.create({ text: "Ada's" });

  assert.deepEqual(await his.get(article.id), article);
  await refused(his.update(article.id, { text: "Bob's" }), FORBIDDEN);
  await refused(his.delete(article.id), FORBIDDEN);
  await refused(stranger().collection("articles").delete(article.id), UNAUTHORIZED);
});

test("nobody but an administrator says whose a record is", async () => {
  const [ada, bob, admin] = [await newUser(), await newUser(), await administrator()];
  const hers = ada.client.collection("owner_notes");

  const note = await hers.create({ text: "Ada's", user_id: bob.user.id });
  assert.equal(note.user_id, ada.user.id);
  assert.equal((await hers.update(note.id, { user_id: bob.user.id })).user_id, ada.user.id);
  const unowned = await stranger().collection("public_notes").create({
    text: "nobody's",
    user_id: bob.user.id,
  });
  assert.equal(unowned.user_id, null);
  const given = await admin.collection("owner_notes").create({
    text: "Bob's",
    user_id: bob.user.id,
  });
  assert.deepEqual(await bob.client.collection("owner_notes").list(), [given]);
});

everyAnswerWasWellFormed();
