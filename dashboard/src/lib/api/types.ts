// What the API sends, as docs/reference has it.

export type Role = "authenticated" | "admin" | "public";
export const ROLES: Role[] = ["authenticated", "admin", "public"];

export interface User {
  id: string;
  email: string;
  role: Role;
  createdAt: string;
}

export interface Tokens {
  token: string;
  refreshToken: string;
  user: User;
}

export interface Login {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  userAgent: string | null;
  current: boolean;
}

export const FIELD_TYPES = [
  "string",
  "text",
  "integer",
  "float",
  "boolean",
  "datetime",
  "json",
  "relation",
  "file",
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export const OPERATIONS = ["create", "read", "update", "delete"] as const;
export type Operation = (typeof OPERATIONS)[number];

export const RULES = ["public", "authenticated", "owner", "admin"] as const;
export type Rule = (typeof RULES)[number];

export interface FieldDefinition {
  name: string;
  type: FieldType;
  required?: boolean;
  unique?: boolean;
  min?: number | null;
  max?: number | null;
  regex?: string | null;
  collection?: string | null;
  renamedFrom?: string | null;
  backfill?: unknown;
  [other: string]: unknown;
}

export interface Definition {
  name: string;
  fields: FieldDefinition[];
  permissions?: Partial<Record<Operation, Rule>>;
  [other: string]: unknown;
}

export interface Collection {
  name: string;
  definition: Definition | null;
  createdAt: string;
  updatedAt: string;
  status: string;
  warnings: string[];
  broken?: string;
}

export interface Step {
  kind: string;
  field?: string;
  text: string;
  destructive: boolean;
}

export interface Plan {
  name: string;
  steps: Step[];
}

export interface SystemFields {
  id: string;
  createdAt: string;
  updatedAt: string;
}
export type Row = SystemFields & Record<string, unknown>;

export interface Page<T> {
  items: T[];
  total: number;
}

export interface Followed<T> {
  items: T[];
  next: number;
}

export interface StoredFile {
  id: string;
  filename: string;
  mimeType: string;
  size: number;
  visibility: "public" | "protected";
  userId: string;
  createdAt: string;
}

/** A record that names a file. */
export interface Use {
  collection: string;
  field: string;
  id: string;
}

export interface Uses extends Page<Use> {
  /** Collections that could not be looked at. */
  broken: string[];
}

export interface LogLine {
  seq: number;
  timestamp: string;
  level: "DEBUG" | "INFO" | "WARN" | "ERROR";
  message: string;
}

export interface Setting {
  key: string;
  value: unknown;
  source: string;
  variable: string;
  expected: string;
  help: string;
}

export interface LoggedEvent {
  seq: number;
  id: string;
  type: string;
  timestamp: string;
  source: string;
  subject: string;
  actor: string | null;
  payload: unknown;
}

export interface AuditEntry {
  seq: number;
  timestamp: string;
  type: string;
  subject: string;
  actor: string | null;
  actorEmail: string | null;
  detail: Record<string, unknown>;
}

export interface FunctionInfo {
  name: string;
  collection?: string;
  type?: string;
  eventType?: string;
  filePath: string;
  error?: string;
  givenUp?: number;
}

export interface JobInfo {
  name: string;
  schedule?: string;
  timezone?: string | null;
  filePath: string;
  nextRunAt?: string | null;
  error?: string;
  givenUp?: number;
}

export type RunStatus = "waiting" | "running" | "completed" | "failed";
export const RUN_STATUSES: RunStatus[] = ["waiting", "running", "completed", "failed"];

export interface Run {
  runId: string;
  kind: string;
  name: string;
  status: RunStatus;
  eventId: string | null;
  eventType: string | null;
  subject: string | null;
  attempt: number;
  crashes: number;
  nextAt: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  error: string | null;
  /** What a task was given. */
  args?: unknown;
  log?: string;
}

export interface Stats {
  startedAt: string;
  uptimeMs: number;
  requests: {
    total: number;
    refused: number;
    errors: number;
    p50Ms: number | null;
    p95Ms: number | null;
    minutes: { at: string; count: number; refused: number; errors: number }[];
  };
  disk: { database: number; files: number; free: number; total: number };
  users: number;
  files: number;
  collections: { name: string; count: number; isMore: boolean }[];
  failures: Run[];
}

export interface Backup {
  name: string;
  size: number;
  createdAt: string;
  /** Whether the server made it by itself. */
  scheduled: boolean;
}

export interface Backups extends Page<Backup> {
  /** The name of the one that is being made. */
  running: string | null;
  /** The last one that was not made. */
  failed: { name: string; message: string; at: string } | null;
  /** How the last restore went, since the server was started. */
  restore: Restore | null;
  schedule: BackupPlan;
}

/** When the server makes one by itself. */
export interface BackupPlan {
  /** A cron expression or a word; null for never. */
  schedule: string | null;
  keep: number;
  next: string | null;
  /** Where the setting came from. */
  source: string;
  keepSource: string;
}

export interface Restore {
  name: string;
  at: string;
  ok: boolean;
  /** Why it failed. */
  message: string | null;
  /** Folders with the state before. */
  kept: string[];
}

export interface Verified {
  name: string;
  ok: boolean;
  error?: string;
  files?: number;
  bakend?: string;
  missing?: string[];
  damaged?: string[];
}
