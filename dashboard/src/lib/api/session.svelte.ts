// Who is logged in here. The tokens lie in localStorage, so that a reload and another tab have them.

import { connection } from "./connection.svelte";
import { ApiError, ConnectionError, errorOf } from "./errors";
import type { Tokens, User } from "./types";

const KEY = "bakend.session";
const EARLY_MS = 30_000;

interface Stored extends Tokens {
  /** When the access token ends, in ms since 1970 by this machine's clock. */
  endsAt: number;
}

class Session {
  #stored = $state.raw<Stored | null>(read());
  #refreshing: Promise<void> | null = null;
  /** Why nobody is logged in any more, to be said on the page of the login. */
  ended = $state<"expired" | "loggedOut" | null>(null);

  constructor() {
    addEventListener("storage", (event) => {
      if (event.key === KEY) this.#stored = read();
    });
  }

  get user(): User | null {
    return this.#stored?.user ?? null;
  }

  /** The access token; changes when it is refreshed. */
  get token(): string | null {
    return this.#stored?.token ?? null;
  }

  get endsAt(): number {
    return this.#stored?.endsAt ?? 0;
  }

  begin(tokens: Tokens): void {
    this.ended = null;
    this.#keep(tokens);
  }

  end(why: "expired" | "loggedOut"): void {
    this.#stored = null;
    this.ended = why;
    localStorage.removeItem(KEY);
  }

  /** Return an access token that is good for a while, null where nobody is logged in. */
  async fresh(): Promise<string | null> {
    if (this.#stored && Date.now() > this.#stored.endsAt - EARLY_MS) await this.refresh();
    return this.token;
  }

  /** Get the next tokens, once for all who ask at the same time. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const mine = this.#stored;
    const kept = read();
    if (!mine) return;
    // Another tab was quicker.
    if (kept && kept.refreshToken !== mine.refreshToken && kept.endsAt > Date.now() + EARLY_MS) {
      this.#stored = kept;
      return;
    }
    try {
      this.#keep(await post<Tokens>("/api/auth/refresh", { refreshToken: mine.refreshToken }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.end("expired");
      else throw error;
    }
  }

  async logOut(): Promise<void> {
    const refreshToken = this.#stored?.refreshToken;
    this.end("loggedOut");
    // The session ends here in any case; where the server cannot be asked it expires there.
    if (refreshToken) await post("/api/auth/logout", { refreshToken }).catch(() => undefined);
  }

  #keep(tokens: Tokens): void {
    this.#stored = { ...tokens, endsAt: Date.now() + lifetime(tokens.token) };
    localStorage.setItem(KEY, JSON.stringify(this.#stored));
  }
}

function read(): Stored | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** Return how long a token is good for, in ms: what it says itself, so that no two clocks are compared. */
function lifetime(token: string): number {
  try {
    const text = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const { iat, exp } = JSON.parse(atob(text));
    return (exp - iat) * 1000;
  } catch {
    return 60_000;
  }
}

/** Send a request that needs no token. */
export async function post<T>(path: string, body: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    connection.failed();
    throw new ConnectionError("The server does not answer");
  }
  connection.answered();
  const text = await response.text();
  if (!response.ok) throw errorOf(response.status, text, response.headers.get("X-Request-Id"));
  return (text ? JSON.parse(text) : undefined) as T;
}

export const session = new Session();
