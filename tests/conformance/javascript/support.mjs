// What every script here uses: the client as npm gives it, and an eye on each answer that it gets.

import assert from "node:assert/strict";
import { File as NodeFile } from "node:buffer";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { BakendClient, BakendError } from "@bakend/client";

// Node 18 has the class, but not under the global name by which the client asks for it.
globalThis.File ??= NodeFile;

/** Where the server is. */
export const url = process.argv[2];

export const PASSWORD = "correct horse battery";

/** Every request so far, as "GET /api/posts 200", and whether it carried a token. */
const requests = [];
const faults = [];
const fetchOfNode = globalThis.fetch;

globalThis.fetch = async (address, init = {}) => {
  const response = await fetchOfNode(address, init);
  const line = `${init.method ?? "GET"} ${new URL(address).pathname} ${response.status}`;
  requests.push({ line, hasToken: new Headers(init.headers).has("Authorization") });
  const fault = await faultOf(response.clone());
  if (fault) faults.push(`${line}: ${fault}`);
  return response;
};

async function faultOf(response) {
  const type = response.headers.get("Content-Type");
  const text = await response.text();
  if (response.status === 204) {
    return type === null && text === "" ? null : `204 with ${type} and ${text.length} characters`;
  }
  if (response.ok) return type === null ? "no content type" : null;
  if (!/^application\/json; ?charset=utf-8$/.test(type ?? "")) return `an error of type ${type}`;
  try {
    checkEnvelope(JSON.parse(text), response.status);
    return null;
  } catch (error) {
    return `${error.message} in ${text.slice(0, 200)}`;
  }
}

function checkEnvelope(body, status) {
  assert.deepEqual(Object.keys(body), ["error"]);
  const { code, message, details, ...others } = body.error;
  assert.deepEqual(others, {});
  assert.equal(typeof code, "string");
  assert.equal(typeof message, "string");
  assert.equal(details !== undefined, code === "validation_error");
  if (code === "validation_error") assert.equal(status, 400);
  for (const detail of details ?? []) {
    assert.deepEqual(Object.keys(detail).sort(), ["field", "message", "rule"]);
    for (const value of Object.values(detail)) assert.equal(typeof value, "string");
  }
}

/** The last test of a script: nothing it was answered had another shape than the client reads. */
export function everyAnswerWasWellFormed() {
  test("every error is in the envelope, every 204 is empty, everything else says its type", () => {
    assert.ok(requests.length > 0);
    assert.deepEqual(faults, []);
  });
}

/** Do something; return the requests that it made. */
export async function requestsOf(action) {
  const before = requests.length;
  await action();
  return requests.slice(before).map(({ line }) => line);
}

/** Do something; return which of its requests carried a token. */
export async function tokensOf(action) {
  const before = requests.length;
  await action();
  return requests.slice(before).map(({ hasToken }) => hasToken);
}

/** Expect the client's own error, with these properties. */
export async function refused(promise, expected) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof BakendError, `${error.name} instead of a BakendError: ${error}`);
    const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, error[key]]));
    assert.deepEqual(seen, expected);
    return true;
  });
}

/** A store whose content a test can see and spoil. */
export function openStore(token = null, refreshToken = null) {
  return {
    token,
    refreshToken,
    getToken() {
      return this.token;
    },
    setToken(value) {
      this.token = value;
    },
    getRefreshToken() {
      return this.refreshToken;
    },
    setRefreshToken(value) {
      this.refreshToken = value;
    },
    clear() {
      this.token = null;
      this.refreshToken = null;
    },
  };
}

export function newEmail() {
  return `${randomUUID()}@example.com`;
}

/** A new user, logged in. */
export async function newUser(options = {}) {
  const store = openStore();
  const client = new BakendClient(url, { authStore: store, ...options });
  const email = newEmail();
  const user = await client.auth.register({ email, password: PASSWORD });
  return { client, store, user, email };
}

/** The administrator that the server was started with. */
export async function administrator() {
  const client = new BakendClient(url);
  await client.auth.login({
    email: process.env.BAKEND_ADMIN_EMAIL,
    password: process.env.BAKEND_ADMIN_PASSWORD,
  });
  return client;
}

export function stranger(options = {}) {
  return new BakendClient(url, options);
}

export async function pause(milliseconds) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Wait until an access token has expired. */
export async function expiry(token) {
  const { exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  while (Date.now() / 1000 <= exp) await pause(20);
}

export const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

/** Subscribe, and collect what comes. */
export function listen(client, channel) {
  const seen = [];
  const waiting = [];
  const stop = client.realtime.subscribe(channel, (event) => {
    seen.push(event);
    for (const wake of waiting.splice(0)) wake();
  });
  const next = async (count) => {
    while (seen.length < count) await new Promise((resolve) => waiting.push(resolve));
    return seen;
  };
  return { seen, next, stop };
}

/** Wait until every subscription that was made so far is known to the server, and its answers are here. */
export async function settled(client) {
  const heard = listen(client, "public_notes.created");
  while (heard.seen.length === 0) {
    await client.collection("public_notes").create({ text: "settled?" });
    await Promise.race([heard.next(1), pause(100)]);
  }
  heard.stop();
}
