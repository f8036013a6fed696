// Which collections there are, for every page; read anew when one comes, goes or changes.

import { collections, type Collection, type FieldDefinition } from "$lib/api";
import { realtime } from "$lib/api/realtime.svelte";

class Catalog {
  items = $state.raw<Collection[]>();
  error = $state.raw<unknown>();

  load = async (): Promise<void> => {
    try {
      this.items = (await collections.list()).items;
      this.error = undefined;
    } catch (error) {
      this.error = error;
    }
  };

  follow(): () => void {
    void this.load();
    return realtime.subscribe("system.*", { event: this.load, resync: this.load });
  }

  get(name: string): Collection | undefined {
    return this.items?.find((each) => each.name === name);
  }

  fields(name: string): FieldDefinition[] {
    return this.get(name)?.definition?.fields ?? [];
  }
}

export const catalog = new Catalog();
