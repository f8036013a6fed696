// Every status that the client can be answered with is an error of its own, with code and message.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  everyAnswerWasWellFormed,
  newEmail,
  newUser,
  openStore,
  PASSWORD,
  refused,
  stranger,
} from "./support.mjs";

const posts = stranger().collection("posts");

test("400 bad_request: a body that is no object", async () => {
  await refused(posts.create([1]), {
    code: "bad_request",
    status: 400,
    message: "Request body must be a JSON object",
    details: undefined,
  });
  await refused(posts.create(undefined), { code: "bad_request", status: 400 });
});

test("400 bad_request: what no server could give back as it came", async () => {
  await refused(posts.create({ title: "\ud800 alone" }), { code: "bad_request", status: 400 });
});

test("400 validation_error: with details", async () => {
  await refused(posts.create({}), {
    code: "validation_error",
    status: 400,
    message: "Validation failed",
    details: [{ field: "title", rule: "required", message: 'Field "title" is required' }],
  });
});

test("401 unauthorized", async () => {
  await refused(stranger().auth.getMe(), { code: "unauthorized", status: 401, details: undefined });
});

test("403 forbidden", async () => {
  const { client } = await newUser();
  await refused(client.collection("admin_notes").list(), { code: "forbidden", status: 403 });
});

test("404 not_found: a record, a collection, a route", async () => {
  await refused(posts.get("rec_none"), {
    code: "not_found",
    status: 404,
    message: 'Record "rec_none" not found',
  });
  await refused(stranger().collection("nothing").list(), {
    code: "not_found",
    status: 404,
    message: 'Collection "nothing" does not exist',
  });
  await refused(posts.get("a/b/c"), { code: "not_found", status: 404, message: "Not found" });
  await refused(posts.get("ü ☃"), { code: "not_found", status: 404 });
  await refused(posts.get("%2e%2e%2fx"), { code: "not_found", status: 404 });
});

test("405 method_not_allowed", async () => {
  const expected = { code: "method_not_allowed", status: 405, message: "Method not allowed" };
  await refused(stranger().collection("auth/login").list(), expected);
  await refused(stranger().collection("auth").update("me", {}), expected);
});

test("409 conflict", async () => {
  const { email } = await newUser();
  await refused(stranger().auth.register({ email, password: PASSWORD }), {
    code: "conflict",
    status: 409,
  });
});

test("413 payload_too_large", async () => {
  await refused(posts.create({ title: "Hello", content: "x".repeat(2_000_000) }), {
    code: "payload_too_large",
    status: 413,
  });
});

test("429 rate_limited: after too many failed logins", async () => {
  const { client, email } = await newUser();
  for (let tries = 0; tries < 2; tries += 1) {
    await refused(client.auth.login({ email, password: "wrong password" }), { status: 401 });
  }

  await refused(client.auth.login({ email, password: PASSWORD }), {
    code: "rate_limited",
    status: 429,
  });
  assert.equal((await client.auth.getMe()).email, email);
  await stranger().auth.register({ email: newEmail(), password: PASSWORD });
});

test("431: a header that is too large is still in the envelope", async () => {
  const client = stranger({ authStore: openStore("x".repeat(300_000)) });
  await refused(client.collection("posts").list(), { code: "bad_request", status: 431 });
});

test("after all that, the server still answers", async () => {
  assert.ok(Array.isArray(await posts.list()));
});

everyAnswerWasWellFormed();
