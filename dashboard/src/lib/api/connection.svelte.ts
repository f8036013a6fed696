// Whether the server answers. Whoever asks it something says here how that went.

const ASK_AGAIN_MS = 2_000;
const PATIENCE_MS = 5_000;

class Connection {
  isLost = $state(false);
  /** Goes up when the server is back; what is shown is then read anew. */
  recoveries = $state(0);
  /** When the server last answered, in ms since 1970. */
  lastAnswer = $state(0);

  answered(): void {
    this.lastAnswer = Date.now();
    if (!this.isLost) return;
    this.isLost = false;
    this.recoveries += 1;
  }

  failed(): void {
    if (this.isLost) return;
    this.isLost = true;
    setTimeout(() => this.ask(), ASK_AGAIN_MS);
  }

  async ask(): Promise<void> {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch("/health", { cache: "no-store", signal });
      if (!response.ok) throw new Error(`${response.status}`);
      this.answered();
    } catch {
      if (this.isLost) setTimeout(() => this.ask(), ASK_AGAIN_MS);
      else this.failed();
    }
  }
}

export const connection = new Connection();
