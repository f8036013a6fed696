// Registering, logging in and out, and what the client does by itself when it is answered 401.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BakendClient,
  createLocalStorageAuthStore,
  createSessionStorageAuthStore,
} from "@bakend/client";

import {
  everyAnswerWasWellFormed,
  newEmail,
  newUser,
  openStore,
  PASSWORD,
  refused,
  requestsOf,
  stranger,
  TIMESTAMP,
  tokensOf,
  url,
  UUID,
} from "./support.mjs";

const UNAUTHORIZED = { code: "unauthorized", status: 401, details: undefined };

test("register answers the user and stores both tokens", async () => {
  const { client, store, user, email } = await newUser();

  assert.deepEqual(Object.keys(user).sort(), ["createdAt", "email", "id", "role"]);
  assert.match(user.id, new RegExp(`^usr_${UUID}$`));
  assert.match(user.createdAt, TIMESTAMP);
  assert.deepEqual([user.email, user.role], [email, "authenticated"]);
  assert.equal(store.token.split(".").length, 3);
  assert.equal(client.auth.token, store.token);
  assert.match(client.auth.refreshToken, /^rt_/);
});

test("getMe answers the same user as register and login", async () => {
  const { client, user, email } = await newUser();

  assert.deepEqual(await client.auth.getMe(), user);

  client.auth.clear();
  assert.equal(client.auth.token, null);
  assert.deepEqual(await client.auth.login({ email, password: PASSWORD }), user);
  assert.deepEqual(await client.auth.getMe(), user);
});

test("an address is compared without case and blanks", async () => {
  const { user, email } = await newUser();

  const again = await stranger().auth.login({ email: email.toUpperCase(), password: PASSWORD });

  assert.equal(again.id, user.id);
});

test("the four calls that need no token send none", async () => {
  const { client, email } = await newUser();

  const sent = await tokensOf(async () => {
    await client.auth.login({ email, password: PASSWORD });
    await client.auth.refresh();
    await client.auth.logout();
    await client.auth.register({ email: newEmail(), password: PASSWORD });
  });

  assert.deepEqual(sent, [false, false, false, false]);
});

test("nobody registers as an administrator", async () => {
  const user = await stranger().auth.register({
    email: newEmail(),
    password: PASSWORD,
    role: "admin",
  });

  assert.equal(user.role, "authenticated");
});

test("refresh gives new tokens for the same user, and both pairs of the moment work", async () => {
  const { client, store, user } = await newUser();
  const before = { ...store };

  assert.deepEqual(await client.auth.refresh(), user);

  assert.notEqual(store.refreshToken, before.refreshToken);
  assert.deepEqual(await client.auth.getMe(), user);
  assert.deepEqual(await stranger({ authStore: openStore(before.token) }).auth.getMe(), user);
});

test("refresh takes a token by hand", async () => {
  const { store, user } = await newUser();

  assert.equal((await stranger().auth.refresh(store.refreshToken)).id, user.id);
});

test("refresh without a token is the client's own error", async () => {
  await assert.rejects(stranger().auth.refresh(), /No refresh token available/);
});

test("logout clears the store and ends the session at once", async () => {
  const { client, store } = await newUser();
  const before = { ...store };

  assert.equal(await client.auth.logout(), undefined);

  assert.deepEqual([store.token, store.refreshToken], [null, null]);
  await refused(client.auth.getMe(), UNAUTHORIZED);
  await refused(stranger().auth.refresh(before.refreshToken), {
    ...UNAUTHORIZED,
    message: "Invalid or expired refresh token",
  });
  const old = stranger({ authStore: openStore(before.token), autoRefresh: false });
  await refused(old.auth.getMe(), UNAUTHORIZED);
});

test("logout never fails: repeated, with an unknown token, without one", async () => {
  const { client, store } = await newUser();
  const token = store.refreshToken;

  await client.auth.logout();
  await client.auth.logout(token);
  await client.auth.logout("rt_nobody");
  await client.auth.logout();
});

test("other sessions of a user go on when one ends", async () => {
  const { client, email, user } = await newUser();
  const other = stranger();
  await other.auth.login({ email, password: PASSWORD });

  await client.auth.logout();

  assert.deepEqual(await other.auth.getMe(), user);
  assert.equal((await other.auth.refresh()).id, user.id);
});

test("what is wrong with credentials is said", async () => {
  const { email } = await newUser();
  const { auth } = stranger();
  const bad = { code: "bad_request", status: 400, details: undefined };

  for (const body of [{}, { email }, { email, password: "" }, { email: 1, password: PASSWORD }]) {
    const message = "email and password are required";
    await refused(auth.register(body), { ...bad, message });
    await refused(auth.login(body), { ...bad, message });
  }
  await refused(auth.register({ email: "nobody", password: PASSWORD }), {
    ...bad,
    message: "Invalid email address",
  });
  await refused(auth.register({ email: newEmail(), password: "1234567" }), {
    ...bad,
    message: "Password must be at least 8 characters",
  });
  await refused(auth.register({ email, password: PASSWORD }), {
    code: "conflict",
    status: 409,
    message: "Email is already registered",
  });
  await refused(auth.login({ email, password: "wrong password" }), {
    ...UNAUTHORIZED,
    message: "Invalid email or password",
  });
  await refused(auth.login({ email: newEmail(), password: PASSWORD }), {
    ...UNAUTHORIZED,
    message: "Invalid email or password",
  });
  assert.equal(auth.token, null);
});

test("a login that fails leaves the tokens that are there", async () => {
  const { client, store, email, user } = await newUser();
  const before = { ...store };

  await refused(client.auth.login({ email, password: "wrong password" }), UNAUTHORIZED);

  assert.equal(store.token, before.token);
  assert.deepEqual(await client.auth.getMe(), user);
});

test("a password is what was typed: blanks, umlauts, more than 72 bytes", async () => {
  const password = `  ${"pässwörd ☃ ".repeat(20)}`;
  const email = newEmail();
  await stranger().auth.register({ email, password });

  await stranger().auth.login({ email, password });
  await refused(stranger().auth.login({ email, password: password.trim() }), UNAUTHORIZED);
  await refused(stranger().auth.login({ email, password: password.slice(0, -1) }), UNAUTHORIZED);
});

test("a spoilt access token is renewed once, and the call repeated", async () => {
  const { client, store, user } = await newUser();
  store.token = "a.b.!!!";

  const made = await requestsOf(async () => assert.deepEqual(await client.auth.getMe(), user));

  assert.deepEqual(made, [
    "GET /api/auth/me 401",
    "POST /api/auth/refresh 200",
    "GET /api/auth/me 200",
  ]);
  assert.equal(store.token.split(".").length, 3);
});

test("when the refresh fails, the store is empty and the error is that of the call", async () => {
  const store = openStore("a.b.c", "rt_nobody");

  const made = await requestsOf(() =>
    refused(stranger({ authStore: store }).auth.getMe(), {
      ...UNAUTHORIZED,
      message: "Authentication required",
    }),
  );

  assert.deepEqual(made, ["GET /api/auth/me 401", "POST /api/auth/refresh 401"]);
  assert.deepEqual([store.token, store.refreshToken], [null, null]);
});

test("with autoRefresh off, nothing is renewed and nothing forgotten", async () => {
  const { store } = await newUser();
  store.token = "a.b.c";
  const client = stranger({ authStore: store, autoRefresh: false });

  const made = await requestsOf(() => refused(client.auth.getMe(), UNAUTHORIZED));

  assert.deepEqual(made, ["GET /api/auth/me 401"]);
  assert.equal(store.token, "a.b.c");
});

test("an anonymous caller of a closed route is answered 401, without a refresh", async () => {
  const made = await requestsOf(() => refused(stranger().auth.getMe(), UNAUTHORIZED));

  assert.deepEqual(made, ["GET /api/auth/me 401"]);
});

test("slashes at the end of the address make no difference", async () => {
  const client = new BakendClient(`${url}///`);

  await client.auth.register({ email: newEmail(), password: PASSWORD });

  assert.equal((await client.auth.getMe()).role, "authenticated");
});

test("the stores of a browser keep the tokens under their names", async () => {
  for (const [name, make] of [
    ["localStorage", createLocalStorageAuthStore],
    ["sessionStorage", createSessionStorageAuthStore],
  ]) {
    const kept = new Map();
    Object.defineProperty(globalThis, name, {
      configurable: true,
      value: {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, String(value)),
        removeItem: (key) => kept.delete(key),
      },
    });
    const first = stranger({ authStore: make() });
    const user = await first.auth.register({ email: newEmail(), password: PASSWORD });
    assert.deepEqual([...kept.keys()].sort(), ["bakend_refresh_token", "bakend_token"]);

    // Another page of the same origin, and its token has gone bad meanwhile.
    kept.set("bakend_token", "expired");
    const second = stranger({ authStore: make() });
    assert.deepEqual(await second.auth.getMe(), user);
    assert.notEqual(kept.get("bakend_token"), "expired");

    await second.auth.logout();
    assert.equal(kept.size, 0);
  }
});

everyAnswerWasWellFormed();
