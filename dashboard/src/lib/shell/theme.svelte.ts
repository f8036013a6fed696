export type Theme = "system" | "light" | "dark";
export const THEMES: Theme[] = ["system", "light", "dark"];
const KEY = "bakend.theme";

class Choice {
  theme = $state<Theme>("system");

  begin(): void {
    const kept = localStorage.getItem(KEY);
    this.#use(kept === "light" || kept === "dark" ? kept : "system");
  }

  choose(theme: Theme): void {
    localStorage.setItem(KEY, theme);
    this.#use(theme);
  }

  #use(theme: Theme): void {
    this.theme = theme;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}

export const choice = new Choice();
