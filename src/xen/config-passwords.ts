/**
 * Passwords in a config's text (xl.cfg(5): `vncpasswd`, `spicepasswd`, also inside of `vfb`). The text is kept otherwise as it is,
 * also when xl would refuse it.
 */
const PASSWORD =
  /\b((?:vnc|spice)passwd[ \t]*=[ \t]*)(?:(["'])(?:\\.|[^\n\\])*?(?:\2|$)|[^,'"\]\s]+)/gm;

/** The same text with empty passwords: for where more people read than may read the config. */
export function withoutPasswords(text: string): string {
  return text.replace(PASSWORD, (_, key: string, quote: string | undefined) =>
    quote === undefined ? key : `${key}${quote}${quote}`,
  );
}
