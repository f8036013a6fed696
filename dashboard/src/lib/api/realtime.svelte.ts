// One WebSocket for the whole dashboard. It comes back by itself, and catches up with what it missed.

import { connection } from "./connection.svelte";
import { session } from "./session.svelte";

export interface RealtimeEvent {
  id: string;
  type: string;
  timestamp: string;
  source: string;
  payload: Record<string, unknown>;
}

export interface Listener {
  event: (event: RealtimeEvent, seq: number) => void;
  /** What was missed can be had no more: read anew. */
  resync?: () => void;
}

interface Channel {
  listeners: Set<Listener>;
  /** The number of the last event that is known; undefined before the first answer. */
  since: number | undefined;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const PING_MS = 20_000;
const BEFORE_THE_END_MS = 45_000;

class Realtime {
  /** For who shows it. What is decided here asks `#isOpen`: whoever subscribes must not do so again when it changes. */
  isOpen = $state(false);
  #isOpen = false;
  #socket: WebSocket | null = null;
  #channels = new Map<string, Channel>();
  #wait = FIRST_WAIT_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  /** Listen to a channel; returns what ends that. */
  subscribe(name: string, listener: Listener): () => void {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { listeners: new Set(), since: undefined };
      this.#channels.set(name, channel);
      if (this.#isOpen) this.#send({ action: "subscribe", channel: name });
    }
    channel.listeners.add(listener);
    if (!this.#socket) void this.#connect();
    return () => {
      channel.listeners.delete(listener);
      if (channel.listeners.size) return;
      this.#channels.delete(name);
      if (this.#isOpen) this.#send({ action: "unsubscribe", channel: name });
      if (!this.#channels.size) this.#close();
    };
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#timer);
    let token: string | null;
    try {
      token = await session.fresh();
    } catch {
      return this.#later();
    }
    if (!token || !this.#channels.size || this.#socket) return;
    const url = new URL("/api/realtime", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("token", token);
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (message) => this.#take(JSON.parse(message.data));
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#forget();
      void connection.ask();
      this.#later();
    };
  }

  #opened(): void {
    this.#isOpen = this.isOpen = true;
    this.#wait = FIRST_WAIT_MS;
    for (const [channel, { since }] of this.#channels) {
      this.#send({ action: "subscribe", channel, since });
    }
    this.#ping = setInterval(() => this.#send({ action: "ping" }), PING_MS);
    // With the end of its token a connection knows nobody; it is made anew before that.
    const left = Math.max(session.endsAt - Date.now() - BEFORE_THE_END_MS, 1_000);
    this.#renewal = setTimeout(() => void this.#renew(), left);
  }

  async #renew(): Promise<void> {
    await session.refresh().catch(() => undefined);
    this.#close();
    if (this.#channels.size) void this.#connect();
  }

  #take(message: Record<string, unknown>): void {
    const seq = message.seq as number | undefined;
    if (message.type === "event") {
      const event = message.event as RealtimeEvent;
      for (const [name, channel] of this.#channels) {
        if (!covers(name, event.type) || seq! <= (channel.since ?? -1)) continue;
        channel.since = seq;
        for (const listener of channel.listeners) listener.event(event, seq!);
      }
    } else if (message.type === "pong" && seq !== undefined) {
      for (const channel of this.#channels.values()) channel.since = seq;
    } else {
      const channel = this.#channels.get(message.channel as string);
      if (!channel) return;
      if (message.type === "resync") for (const each of channel.listeners) each.resync?.();
      if (seq !== undefined) channel.since = seq;
    }
  }

  #send(message: unknown): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #later(): void {
    if (!this.#channels.size || !session.user) return;
    this.#timer = setTimeout(() => void this.#connect(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  #close(): void {
    const socket = this.#socket;
    this.#forget();
    socket?.close();
  }

  #forget(): void {
    this.#socket = null;
    this.#isOpen = this.isOpen = false;
    clearTimeout(this.#timer);
    clearInterval(this.#ping);
    clearTimeout(this.#renewal);
  }
}

function covers(channel: string, type: string): boolean {
  return channel.endsWith(".*") ? type.startsWith(channel.slice(0, -1)) : channel === type;
}

export const realtime = new Realtime();
