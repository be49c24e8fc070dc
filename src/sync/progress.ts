type Waiter = {
  readonly test: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Waiting for shared state: several loops of one side work on the same plain data, and whoever changes it says so. The
 * first failure ends all waiting, now and later.
 */
export class Progress {
  /** As many as there are loops and segments in memory: some forty. */
  readonly #waiters = new Set<Waiter>();
  #failed: { readonly error: unknown } | undefined;

  /** Until `test` is true. It is asked again after each change. */
  until(test: () => boolean): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed.error);
    if (test()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.add({ test, resolve, reject });
    });
  }

  /** Never resolves; throws the first failure as soon as there is one. */
  failure(): Promise<never> {
    return this.until(() => false) as Promise<never>;
  }

  changed(): void {
    for (const waiter of this.#waiters) {
      if (!waiter.test()) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  fail(error: unknown): void {
    this.#failed ??= { error };
    for (const waiter of this.#waiters) waiter.reject(this.#failed.error);
    this.#waiters.clear();
  }
}

/** Work that runs beside a loop, at most `width` at a time; its failures are the failure of `progress`. */
export class Tasks {
  readonly #progress: Progress;
  readonly #width: number;
  #running = 0;
  readonly #ended = new Set<() => void>();

  constructor(progress: Progress, width: number) {
    this.#progress = progress;
    this.#width = width;
  }

  /** Begins `work` as soon as there is room; does not wait for its end. */
  async begin(work: () => Promise<void>): Promise<void> {
    // All who wait are let go by one end; the first of them takes the room.
    do await this.#progress.until(() => this.#running < this.#width);
    while (this.#running >= this.#width);
    this.#running += 1;
    void this.#run(work);
  }

  /** Until nothing runs, also after a failure: then nobody writes any more. */
  async idle(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#ended.add(resolve));
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#progress.fail(error);
    } finally {
      this.#running -= 1;
      for (const resolve of this.#ended) resolve();
      this.#ended.clear();
      this.#progress.changed();
    }
  }
}
