// Questions before something that cannot be undone, and notices of what has happened.

import type { Key } from "$lib/i18n/index.svelte";

export interface Question {
  title: string;
  text: string;
  /** What is lost, a sentence each. */
  losses?: string[];
  confirm: Key;
  isDangerous?: boolean;
  /** What has to be typed before it can be confirmed. */
  typed?: string;
}

interface Asked extends Question {
  answer: (yes: boolean) => void;
}

export interface Notice {
  id: number;
  kind: "good" | "bad";
  text: string;
}

const SEEN_MS = 5_000;

class Asking {
  question = $state.raw<Asked | null>(null);
  notices = $state.raw<Notice[]>([]);
  #last = 0;

  confirm(question: Question): Promise<boolean> {
    this.question?.answer(false);
    return new Promise((resolve) => {
      this.question = {
        ...question,
        answer: (yes) => {
          this.question = null;
          resolve(yes);
        },
      };
    });
  }

  say(text: string, kind: Notice["kind"] = "good"): void {
    const id = ++this.#last;
    this.notices = [...this.notices, { id, kind, text }];
    // What went wrong stays until it is read.
    if (kind === "good") setTimeout(() => this.dismiss(id), SEEN_MS);
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  /** Do something, and say so if it fails; returns whether it went well. */
  async attempt(what: () => Promise<unknown>, done?: string): Promise<boolean> {
    try {
      await what();
      if (done) this.say(done);
      return true;
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), "bad");
      return false;
    }
  }
}

export const ask = new Asking();
