/** Who says that something may have changed on the host: xenstored, or a test. */
export type ChangeSource = Disposable & {
  /** Without it nothing is heard, until it is there again. */
  readonly connected: boolean;
  /** From now on, of these paths of xenstore and no others. */
  want(paths: ReadonlySet<string>): void;
};
