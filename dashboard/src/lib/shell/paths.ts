import { base } from "$app/paths";

/** Return the address of a page of the dashboard; each part is escaped. */
export function href(...parts: string[]): string {
  return `${base}/${parts.map(encodeURIComponent).join("/")}`;
}
