/** Who says that a domain's state may have changed, of which xenstore tells nothing: xentop, or a test. */
export type StateTicker = Disposable & {
  /** A change is said within a second or two. Without it nobody says that a domain was paused. */
  readonly ticking: boolean;
  /** From now on, or no more. */
  want(on: boolean): void;
};
