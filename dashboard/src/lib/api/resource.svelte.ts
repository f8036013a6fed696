// Something that is read from the server and shown: read anew when what it depends on changes.

import { untrack } from "svelte";
import { connection } from "./connection.svelte";
import { realtime } from "./realtime.svelte";

const TOGETHER_MS = 300;

export class Resource<T> {
  value = $state.raw<T>();
  error = $state.raw<unknown>();
  isLoading = $state(true);
  #version = $state(0);

  /** To be made while a component is: `load` is called again when state that it reads changes. */
  constructor(load: (signal: AbortSignal) => Promise<T>) {
    $effect(() => {
      void this.#version;
      void connection.recoveries;
      const stop = new AbortController();
      untrack(() => (this.isLoading = true));
      load(stop.signal).then(
        (value) => {
          if (stop.signal.aborted) return;
          this.value = value;
          this.error = undefined;
          this.isLoading = false;
        },
        (error: unknown) => {
          if (stop.signal.aborted) return;
          this.error = error;
          this.isLoading = false;
        },
      );
      return () => stop.abort();
    });
  }

  /** Read it again and again while somebody looks; to be called where the component is made. */
  every(ms: number): this {
    $effect(() => {
      const timer = setInterval(() => {
        if (!document.hidden && !connection.isLost) this.reload();
      }, ms);
      return () => clearInterval(timer);
    });
    return this;
  }

  /** Read it again when something happens, several of it together; to be called where the component is made. */
  on(...channels: string[]): this {
    $effect(() => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const soon = () => {
        timer ??= setTimeout(() => {
          timer = undefined;
          this.reload();
        }, TOGETHER_MS);
      };
      const ends = channels.map((each) => realtime.subscribe(each, { event: soon, resync: soon }));
      return () => {
        clearTimeout(timer);
        for (const end of ends) end();
      };
    });
    return this;
  }

  reload = (): void => {
    this.#version += 1;
  };
}
