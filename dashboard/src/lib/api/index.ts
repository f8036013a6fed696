// Every route that the dashboard asks, by what it is about.

import { download, request, upload, type Query } from "./http";
import { post, session } from "./session.svelte";
import type * as Type from "./types";

export * from "./types";
export { ApiError, ConnectionError, sentences } from "./errors";
export { connection } from "./connection.svelte";
export { session } from "./session.svelte";
export { download } from "./http";

type Signal = AbortSignal | undefined;
const part = encodeURIComponent;
const admin = "/api/admin";

export const auth = {
  async logIn(email: string, password: string): Promise<Type.User> {
    const tokens = await post<Type.Tokens>("/api/auth/login", { email, password });
    if (tokens.user.role === "admin") session.begin(tokens);
    // A session that is of no use here does not stay open.
    else await post("/api/auth/logout", { refreshToken: tokens.refreshToken });
    return tokens.user;
  },
  async setUp(token: string, email: string, password: string): Promise<Type.User> {
    const tokens = await post<Type.Tokens>("/api/auth/setup", { token, email, password });
    session.begin(tokens);
    return tokens.user;
  },
  changePassword: (oldPassword: string, newPassword: string) =>
    request<void>("POST", "/api/auth/password", { body: { oldPassword, newPassword } }),
  async logOutEverywhere(): Promise<void> {
    await request<void>("DELETE", "/api/auth/sessions");
    session.end("loggedOut");
  },
};

export const health = (signal?: Signal) =>
  request<{ status: string; version: string; warnings?: string[] }>("GET", "/health", { signal });

export const stats = (signal?: Signal) => request<Type.Stats>("GET", `${admin}/stats`, { signal });

export const collections = {
  list: (signal?: Signal) =>
    request<{ items: Type.Collection[] }>("GET", `${admin}/collections`, { signal }),
  get: (name: string, signal?: Signal) =>
    request<Type.Collection>("GET", `${admin}/collections/${part(name)}`, { signal }),
  create: (body: unknown) => request<Type.Collection>("POST", `${admin}/collections`, { body }),
  change: (name: string, body: unknown, destructive: boolean) =>
    request<Type.Collection>("PUT", `${admin}/collections/${part(name)}`, {
      body,
      query: { destructive: destructive || undefined },
    }),
  delete: (name: string) => request<void>("DELETE", `${admin}/collections/${part(name)}`),
  /** Ask what a change would do; without a name, of the collection to be made. */
  plan: (name: string | null, body: unknown) =>
    request<Type.Plan>(
      name ? "PUT" : "POST",
      name ? `${admin}/collections/${part(name)}` : `${admin}/collections`,
      { body, query: { dryRun: true } },
    ),
};

export const records = {
  page: (
    collection: string,
    query: { limit: number; offset?: number; count?: boolean },
    signal?: Signal,
  ) =>
    request<{ items: Type.Row[]; total: number }>("GET", `/api/${part(collection)}`, {
      query,
      signal,
    }),
  get: (collection: string, id: string, signal?: Signal) =>
    request<Type.Row>("GET", `/api/${part(collection)}/${part(id)}`, { signal }),
  create: (collection: string, body: unknown) =>
    request<Type.Row>("POST", `/api/${part(collection)}`, { body }),
  change: (collection: string, id: string, body: unknown) =>
    request<Type.Row>("PUT", `/api/${part(collection)}/${part(id)}`, { body }),
  delete: (collection: string, id: string) =>
    request<void>("DELETE", `/api/${part(collection)}/${part(id)}`),
};

export const users = {
  page: (query: { limit?: number; offset?: number; search?: string }, signal?: Signal) =>
    request<Type.Page<Type.User>>("GET", `${admin}/users`, { query, signal }),
  get: (id: string, signal?: Signal) =>
    request<Type.User>("GET", `${admin}/users/${part(id)}`, { signal }),
  create: (email: string, password: string, role: Type.Role) =>
    request<Type.User>("POST", `${admin}/users`, { body: { email, password, role } }),
  setRole: (id: string, role: Type.Role) =>
    request<Type.User>("PATCH", `${admin}/users/${part(id)}`, { body: { role } }),
  setPassword: (id: string, password: string) =>
    request<void>("POST", `${admin}/users/${part(id)}/password`, { body: { password } }),
  delete: (id: string, data: "keep" | "delete") =>
    request<void>("DELETE", `${admin}/users/${part(id)}`, { query: { data } }),
  sessions: (id: string, signal?: Signal) =>
    request<Type.Page<Type.Login>>("GET", `${admin}/users/${part(id)}/sessions`, { signal }),
  endSession: (id: string, login: string) =>
    request<void>("DELETE", `${admin}/users/${part(id)}/sessions/${part(login)}`),
  endSessions: (id: string) => request<void>("DELETE", `${admin}/users/${part(id)}/sessions`),
};

export const files = {
  page: (query: { limit?: number; offset?: number }, signal?: Signal) =>
    request<Type.Page<Type.StoredFile>>("GET", `${admin}/storage`, { query, signal }),
  upload(file: File, isPublic: boolean, progress: (part: number) => void) {
    const form = new FormData();
    form.append("visibility", isPublic ? "public" : "protected");
    form.append("file", file);
    return upload<Type.StoredFile>("/api/storage/upload", form, progress);
  },
  uses: (id: string, query: { limit?: number }, signal?: Signal) =>
    request<Type.Uses>("GET", `${admin}/storage/${part(id)}/uses`, { query, signal }),
  link: (id: string) =>
    request<{ url: string; expiresAt: string }>("POST", `/api/storage/${part(id)}/url`),
  delete: (id: string) => request<void>("DELETE", `${admin}/storage/${part(id)}`),
};

export interface RunQuery extends Query {
  name?: string;
  status?: string;
  limit?: number;
  offset?: number;
}

export const functions = {
  list: (signal?: Signal) =>
    request<Type.Page<Type.FunctionInfo>>("GET", `${admin}/functions`, { signal }),
  runs: (query: RunQuery, signal?: Signal) =>
    request<Type.Page<Type.Run>>("GET", `${admin}/functions/runs`, { query, signal }),
  getRun: (run: string, signal?: Signal) =>
    request<Type.Run>("GET", `${admin}/functions/runs/${part(run)}`, { signal }),
  retry: (run: string) => request<Type.Run>("POST", `${admin}/functions/runs/${part(run)}/retry`),
};

export const jobs = {
  list: (signal?: Signal) => request<Type.Page<Type.JobInfo>>("GET", `${admin}/jobs`, { signal }),
  run: (job: string) => request<Type.Run>("POST", `${admin}/jobs/${part(job)}/run`),
  runs: (job: string, query: RunQuery, signal?: Signal) =>
    request<Type.Page<Type.Run>>("GET", `${admin}/jobs/${part(job)}/runs`, { query, signal }),
  getRun: (job: string, run: string, signal?: Signal) =>
    request<Type.Run>("GET", `${admin}/jobs/${part(job)}/runs/${part(run)}`, { signal }),
};

interface Follow extends Query {
  limit?: number;
  after?: number;
  before?: number;
}

export const events = (query: Follow & { type?: string }, signal?: Signal) =>
  request<Type.Followed<Type.LoggedEvent>>("GET", `${admin}/events`, { query, signal });

export const audit = (query: Follow & { actor?: string }, signal?: Signal) =>
  request<Type.Followed<Type.AuditEntry>>("GET", `${admin}/audit`, { query, signal });

export const logs = (query: Follow & { level?: string; search?: string }, signal?: Signal) =>
  request<Type.Followed<Type.LogLine>>("GET", `${admin}/logs`, { query, signal });

export const backups = {
  list: (signal?: Signal) => request<Type.Backups>("GET", `${admin}/backups`, { signal }),
  create: () => request<{ name: string }>("POST", `${admin}/backups`),
  verify: (name: string) => request<Type.Verified>("POST", `${admin}/backups/${part(name)}/verify`),
  delete: (name: string) => request<void>("DELETE", `${admin}/backups/${part(name)}`),
  restore: (name: string, dataOnly: boolean) =>
    request<{ name: string }>("POST", `${admin}/backups/${part(name)}/restore`, {
      body: { dataOnly },
    }),
  setPlan: (plan: { schedule?: string | null; keep?: number | null }) =>
    request<Type.BackupPlan>("PUT", `${admin}/backups/schedule`, { body: plan }),
  download: (name: string) => download(`${admin}/backups/${part(name)}`),
};

export const settings = (signal?: Signal) =>
  request<{ config: string; settings: Type.Setting[] }>("GET", `${admin}/settings`, { signal });
