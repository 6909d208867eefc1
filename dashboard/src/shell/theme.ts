/** Light, dark, or as the system has it. */
export type Theme = "auto" | "light" | "dark";

const KEY = "triarch.theme";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function applyTheme(): void {
  const now = theme();
  if (now === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
  // What draws on a canvas has taken its colours already.
  window.dispatchEvent(new Event("triarch-theme"));
}

export function nextTheme(): Theme {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length] ?? "auto";
  localStorage.setItem(KEY, next);
  applyTheme();
  return next;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme());
