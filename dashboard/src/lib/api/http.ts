// Requests to the server: with the token of who is logged in, refreshed when it ends, and tried once more.

import { untrack } from "svelte";
import { connection } from "./connection.svelte";
import { ConnectionError, errorOf } from "./errors";
import { session } from "./session.svelte";

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Options {
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
}

/**
 * Send a request and return what the answer holds.
 *
 * @throws ApiError - the server refuses it.
 * @throws ConnectionError - the server cannot be reached.
 */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await answer(method, path, options);
  const text = await response.text();
  if (!response.ok) throw errorOf(response.status, text, response.headers.get("X-Request-Id"));
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Send a request and return the bytes of the answer. */
export async function download(path: string): Promise<Blob> {
  const response = await answer("GET", path, {});
  if (!response.ok) {
    throw errorOf(response.status, await response.text(), response.headers.get("X-Request-Id"));
  }
  return response.blob();
}

async function answer(method: string, path: string, options: Options): Promise<Response> {
  // Who shows something reads it anew when what it depends on changes; the token is nothing of that.
  const used = await untrack(() => session.fresh());
  const first = await send(method, path, options, used);
  if (first.status !== 401 || !session.user) return first;
  // Somebody else may have refreshed it in the meantime.
  if (session.token === used) await session.refresh();
  return session.token ? send(method, path, options, session.token) : first;
}

async function send(
  method: string,
  path: string,
  { body, query, signal }: Options,
  token: string | null,
): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(path + queryOf(query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
    connection.answered();
    return response;
  } catch (error) {
    if (signal?.aborted) throw error;
    connection.failed();
    throw new ConnectionError("The server does not answer");
  }
}

function queryOf(query: Query = {}): string {
  const wanted = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return wanted.length
    ? `?${new URLSearchParams(wanted.map(([key, value]) => [key, String(value)]))}`
    : "";
}

/** Upload a file; `progress` is told how much of it has gone, from 0 to 1. */
export async function upload<T>(
  path: string,
  form: FormData,
  progress: (part: number) => void,
): Promise<T> {
  const token = await session.fresh();
  return new Promise<T>((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch tells nothing of what has gone
    sending.open("POST", path);
    if (token) sending.setRequestHeader("Authorization", `Bearer ${token}`);
    sending.upload.onprogress = (event) => progress(event.loaded / event.total);
    sending.onload = () => {
      connection.answered();
      if (sending.status < 300) resolve(JSON.parse(sending.responseText));
      else {
        const id = sending.getResponseHeader("X-Request-Id");
        reject(errorOf(sending.status, sending.responseText, id));
      }
    };
    sending.onerror = () => {
      connection.failed();
      reject(new ConnectionError("The server does not answer"));
    };
    sending.send(form);
  });
}
