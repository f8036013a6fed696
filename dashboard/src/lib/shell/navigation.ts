import Archive from "@lucide/svelte/icons/archive";
import Activity from "@lucide/svelte/icons/activity";
import BookOpenCheck from "@lucide/svelte/icons/book-open-check";
import CalendarClock from "@lucide/svelte/icons/calendar-clock";
import Database from "@lucide/svelte/icons/database";
import Files from "@lucide/svelte/icons/files";
import LayoutDashboard from "@lucide/svelte/icons/layout-dashboard";
import ScrollText from "@lucide/svelte/icons/scroll-text";
import Settings from "@lucide/svelte/icons/settings-2";
import SquareFunction from "@lucide/svelte/icons/square-function";
import Users from "@lucide/svelte/icons/users";
import type { LucideProps } from "@lucide/svelte";
import type { Component } from "svelte";
import type { Key } from "$lib/i18n/index.svelte";

export interface Place {
  path: string;
  title: Key;
  icon: Component<LucideProps>;
}

export const OVERVIEW: Place = { path: "", title: "nav.overview", icon: LayoutDashboard };
export const COLLECTIONS: Place = { path: "collections", title: "nav.collections", icon: Database };

export const GROUPS: { title: Key; places: Place[] }[] = [
  {
    title: "nav.data",
    places: [
      COLLECTIONS,
      { path: "users", title: "nav.users", icon: Users },
      { path: "files", title: "nav.files", icon: Files },
    ],
  },
  {
    title: "nav.code",
    places: [
      { path: "functions", title: "nav.functions", icon: SquareFunction },
      { path: "jobs", title: "nav.jobs", icon: CalendarClock },
    ],
  },
  {
    title: "nav.server",
    places: [
      { path: "events", title: "nav.events", icon: Activity },
      { path: "audit", title: "nav.audit", icon: BookOpenCheck },
      { path: "logs", title: "nav.logs", icon: ScrollText },
      { path: "backups", title: "nav.backups", icon: Archive },
      { path: "settings", title: "nav.settings", icon: Settings },
    ],
  },
];

export const PLACES: Place[] = [OVERVIEW, ...GROUPS.flatMap((group) => group.places)];
