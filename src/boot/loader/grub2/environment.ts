/**
 * GRUB's variables. A submenu and `configfile` open a context that sees only exported variables and whose changes
 * end with it (grub-core/normal/context.c). Menu entries are looked at one by one, each on a layer of its own over
 * the finished configuration, so that they do not disturb each other.
 */
export type Variable = {
  readonly value: string;
  readonly exported: boolean;
  readonly origin?: Origin;
};

/** Where a value comes from, for people: `default` in `grub.cfg line 12`, or `saved_entry` in `grubenv`. */
export type Origin = {
  readonly name: string;
  /** Empty when the variable is set nowhere. */
  readonly place: string;
};

export class Environment {
  readonly #values = new Map<string, Variable | undefined>();
  readonly #under: Environment | undefined;
  readonly #exportedOnly: boolean;

  constructor(under?: Environment, options: { exportedOnly?: boolean } = {}) {
    this.#under = under;
    this.#exportedOnly = options.exportedOnly ?? false;
  }

  variable(name: string): Variable | undefined {
    if (this.#values.has(name)) return this.#values.get(name);
    const found = this.#under?.variable(name);
    return this.#exportedOnly && !found?.exported ? undefined : found;
  }

  get(name: string): string | undefined {
    return this.variable(name)?.value;
  }

  /** Set on this layer itself, not seen through it. */
  own(name: string): Variable | undefined {
    return this.#values.get(name);
  }

  set(name: string, value: string, origin?: Origin): void {
    // As GRUB's write hook for `root` does.
    const parenthesized = name === "root" && value.startsWith("(") && value.endsWith(")");
    this.#values.set(name, {
      value: parenthesized ? value.slice(1, -1) : value,
      exported: this.variable(name)?.exported ?? false,
      ...(origin !== undefined && { origin }),
    });
  }

  unset(name: string): void {
    this.#values.set(name, undefined);
  }

  /** A variable that is not set becomes an empty one. */
  export(name: string): void {
    const { value = "", origin } = this.variable(name) ?? {};
    this.#values.set(name, { value, exported: true, ...(origin !== undefined && { origin }) });
  }

  /** A layer on which changes stay without effect here. */
  layer(): Environment {
    return new Environment(this);
  }

  /** What a submenu or `configfile` starts with. */
  context(): Environment {
    return new Environment(this, { exportedOnly: true });
  }
}
