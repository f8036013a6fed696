// Uploading, downloading and deleting files.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  administrator,
  everyAnswerWasWellFormed,
  newUser,
  refused,
  requestsOf,
  stranger,
  TIMESTAMP,
  UUID,
} from "./support.mjs";

const LARGEST = 10_485_760;

const ada = await newUser();
const { storage } = ada.client;

function blob(content, type) {
  return new Blob([content], { type });
}

test("an upload is answered with what the file is", async () => {
  const file = await storage.upload(blob("hello"), { filename: "hello.txt", visibility: "public" });

  assert.deepEqual(Object.keys(file).sort(), [
    "createdAt",
    "filename",
    "id",
    "mimeType",
    "size",
    "userId",
    "visibility",
  ]);
  assert.match(file.id, new RegExp(`^fil_${UUID}$`));
  assert.match(file.createdAt, TIMESTAMP);
  assert.match(file.mimeType, /^text\/plain; ?charset=utf-8$/);
  assert.deepEqual(
    [file.filename, file.size, file.visibility, file.userId],
    ["hello.txt", 5, "public", ada.user.id],
  );
});

test("a download is a Blob with the bytes and the type of the file", async () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256);
  const file = await storage.upload(blob(bytes), { filename: "picture.png" });

  const download = await storage.download(file.id);

  assert.ok(download instanceof Blob);
  assert.equal(download.type, "image/png");
  assert.deepEqual(new Uint8Array(await download.arrayBuffer()), bytes);
});

test("Blob, File and ArrayBuffer can all be uploaded, with and without a name", async () => {
  const buffer = new TextEncoder().encode("same").buffer;
  const named = new File(["same"], "named.txt");

  const files = [
    await storage.upload(buffer),
    await storage.upload(buffer, { filename: "a.bin" }),
    await storage.upload(blob("same")),
    await storage.upload(named),
    await storage.upload(named, { filename: "other.txt" }),
  ];

  const names = files.map(({ filename }) => filename);
  assert.deepEqual(names, ["file", "a.bin", "file", "named.txt", "other.txt"]);
  for (const { id } of files) assert.equal(await (await storage.download(id)).text(), "same");
});

test("a file is protected unless it is said to be public", async () => {
  const kept = await storage.upload(blob("mine"), { filename: "mine.txt" });
  const other = (await newUser()).client;

  assert.equal(kept.visibility, "protected");
  assert.equal(await (await storage.download(kept.id)).text(), "mine");
  const admin = await administrator();
  assert.equal(await (await admin.storage.download(kept.id)).text(), "mine");

  const unauthorized = { code: "unauthorized", status: 401, message: "Unauthorized" };
  const forbidden = { code: "forbidden", status: 403, message: "Forbidden" };
  await refused(stranger().storage.download(kept.id), unauthorized);
  await refused(stranger().storage.delete(kept.id), unauthorized);
  const made = await requestsOf(async () => {
    await refused(other.storage.download(kept.id), forbidden);
    await refused(other.storage.delete(kept.id), forbidden);
  });
  assert.equal(made.length, 2);
});

test("the address of a public file works without a header", async () => {
  const file = await storage.upload(blob("seen by all"), {
    filename: "all.txt",
    visibility: "public",
  });
  const address = storage.getDownloadUrl(file.id);

  const response = await fetch(address);

  assert.ok(address.endsWith(`/api/storage/${file.id}`));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "seen by all");
  assert.equal(response.headers.get("Content-Length"), "11");
  assert.equal(await (await stranger().storage.download(file.id)).text(), "seen by all");
  const closed = await storage.upload(blob("mine"), { filename: "mine.txt" });
  assert.equal((await fetch(storage.getDownloadUrl(closed.id))).status, 401);
});

test("delete answers nothing, and the file is gone", async () => {
  const { id } = await storage.upload(blob("x"), { filename: "x.txt", visibility: "public" });

  assert.equal(await storage.delete(id), undefined);

  const gone = { code: "not_found", status: 404, message: "File not found" };
  await refused(storage.download(id), gone);
  await refused(storage.delete(id), gone);
  await refused(storage.download("fil_none"), gone);
});

test("only who is logged in uploads", async () => {
  await refused(stranger().storage.upload(blob("x"), { filename: "x.txt" }), {
    code: "unauthorized",
    status: 401,
    message: "Unauthorized",
  });
});

test("the largest file is taken, and one byte more is refused with the limit", async () => {
  const largest = new Uint8Array(LARGEST + 1).fill(7);
  const options = { filename: "large.bin" };

  const file = await storage.upload(blob(largest.subarray(0, LARGEST)), options);

  assert.equal(file.size, LARGEST);
  const back = new Uint8Array(await (await storage.download(file.id)).arrayBuffer());
  assert.ok(Buffer.from(back).equals(Buffer.from(largest.buffer, 0, LARGEST)));
  await refused(storage.upload(blob(largest), options), {
    code: "bad_request",
    status: 400,
    message: "File exceeds maximum size of 10 MB",
  });
  await storage.delete(file.id);
});

test("an upload far beyond the limit is refused in the envelope, too", async () => {
  const options = { filename: "huge.bin" };

  await refused(storage.upload(blob(new Uint8Array(3 * LARGEST)), options), {
    code: "payload_too_large",
    status: 413,
  });
});

test("an empty file is refused", async () => {
  await refused(storage.upload(blob(""), { filename: "empty.txt" }), {
    code: "bad_request",
    status: 400,
    message: "File cannot be empty",
  });
});

test("names in any script come back whole, and can be downloaded", async () => {
  for (const name of ["Grüße aus Köln.txt", "☃ 😀.txt", "a'b (1) [2]; x=y,z%.txt", "空 白.png"]) {
    const file = await storage.upload(blob("x"), { filename: name, visibility: "public" });
    assert.equal(file.filename, name);

    const response = await fetch(storage.getDownloadUrl(file.id));
    assert.equal(response.status, 200);
    const disposition = response.headers.get("Content-Disposition");
    const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition);
    const plain = /filename="((?:[^"\\]|\\.)*)"/.exec(disposition);
    assert.equal(encoded ? decodeURIComponent(encoded[1]) : plain[1], name, disposition);
    assert.equal(await (await storage.download(file.id)).text(), "x");
  }
});

test("quotes stay in a name, folders and line breaks do not", async () => {
  for (const [name, kept] of [
    ['say "hi".txt', /^say "hi"\.txt$/],
    ["../../etc/passwd", /^passwd$/],
    ["back\\slash.txt", /slash\.txt$/],
    ["line\nbreak.txt", /^line[^\r\n]*break\.txt$/],
  ]) {
    const file = await storage.upload(blob("x"), { filename: name, visibility: "public" });

    assert.match(file.filename, kept);
    assert.equal(await (await storage.download(file.id)).text(), "x");
  }
});

test("a JSON file is parsed by download(), and its address gives the bytes", async () => {
  const text = '{"a": [1, 2]}';
  const file = await storage.upload(blob(text, "application/json"), {
    filename: "data.json",
    visibility: "public",
  });

  assert.match(file.mimeType, /^application\/json/);
  assert.deepEqual(await storage.download(file.id), { a: [1, 2] });
  assert.equal(await (await fetch(storage.getDownloadUrl(file.id))).text(), text);
});

test("what a page could run is still a Blob with all its bytes", async () => {
  const page = "<script>alert(1)</script>";
  const file = await storage.upload(blob(page), { filename: "page.html", visibility: "public" });

  assert.equal(await (await storage.download(file.id)).text(), page);
});

test("many uploads at once are many files", async () => {
  const contents = Array.from({ length: 20 }, (_, number) => `file ${number} `.repeat(5_000));

  const files = await Promise.all(
    contents.map((content, number) =>
      storage.upload(blob(content), { filename: `${number}.txt`, visibility: "public" }),
    ),
  );

  assert.equal(new Set(files.map(({ id }) => id)).size, 20);
  const read = await Promise.all(
    files.map(async ({ id }) => (await storage.download(id)).text()),
  );
  assert.deepEqual(read, contents);
});

test("an upload with a spoilt token is sent again, whole, after a refresh", async () => {
  const { client, store, user } = await newUser();
  store.token = "a.b.c";

  let file;
  const made = await requestsOf(async () => {
    file = await client.storage.upload(blob("again".repeat(50_000)), { filename: "again.txt" });
  });

  assert.deepEqual(made, [
    "POST /api/storage/upload 401",
    "POST /api/auth/refresh 200",
    "POST /api/storage/upload 201",
  ]);
  assert.deepEqual([file.size, file.userId], [250_000, user.id]);
});

test("a record can hold a file", async () => {
  const posts = ada.client.collection("posts");
  const file = await storage.upload(blob("x"), { filename: "cover.png", visibility: "public" });

  const post = await posts.create({ title: "With a cover", cover: file.id });

  assert.equal((await posts.get(post.id)).cover, file.id);
});

everyAnswerWasWellFormed();
