/** `ENOENT` of a system error; its message when it has no code. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    return typeof code === "string" ? code : error.message;
  }
  return String(error);
}
